"""Examining and measuring know no format: the same calls on a model's file in each of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.texts import Text, evaluation_text
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Measured
from edgeshrink.errors import RuntimeFailed
from edgeshrink.evaluate.artifact import evaluate_artifact
from edgeshrink.evaluate.reference import Reference, write_reference
from edgeshrink.measure.session import measure

RUNTIMES = {"gguf": ("llama_cpp", "cpu"), "onnx": ("onnx", "cpu"), "executorch": ("executorch", "xnnpack")}
FloatModel = Callable[[str, str], Path]
formats = pytest.mark.parametrize("format", RUNTIMES)


@pytest.fixture(scope="module")
def facts(source_model: Callable[[str], Path]) -> ModelFacts:
    return inspect_model(str(source_model("llama")))


@pytest.fixture(scope="module")
def text() -> Text:
    return Text.of("beginning", evaluation_text().text[:4000].encode())


@pytest.fixture(scope="module")
def reference(float_model: FloatModel, text: Text, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    return write_reference(float_model("llama", "gguf"), text, folder, name="F32 GGUF", context=256, threads=1)


def examine(
    path: Path,
    facts: ModelFacts,
    reference: Reference,
    text: Text,
    folder: Path,
    *,
    runtime: str,
    delegate: str,
    listener: Listener = silent,
) -> Quality:
    return evaluate_artifact(
        path,
        runtime=runtime,
        delegate=delegate,
        own_checks=(Check("own", "ok", "the format's"),),
        tensors=tuple(TensorPlan(tensor.name, tensor.name, tensor.shape, "F32", "") for tensor in facts.tensors),
        facts=facts,
        vocabulary=read_vocabulary(facts),
        reference=reference,
        text=text,
        folder=folder,
        context=256,
        threads=1,
        listener=listener,
    )


def artifact(float_model: FloatModel, format: str) -> Path:
    """As a build hands it over: the GGUF file, or the folder of files that belong together."""
    file = float_model("llama", format)
    return file if format == "gguf" else file.parent


@formats
def test_an_unquantized_file_is_the_source_and_the_reference(
    float_model: FloatModel, facts: ModelFacts, reference: Reference, text: Text, tmp_path: Path, format: str
) -> None:
    runtime, delegate = RUNTIMES[format]
    seen: list[Progress] = []
    path = artifact(float_model, format)
    quality = examine(path, facts, reference, text, tmp_path, runtime=runtime, delegate=delegate, listener=seen.append)
    assert quality.failed_checks == ()
    assert quality.checks[0].name == "own"
    outcomes = {check.name: check.outcome for check in quality.checks}
    for name in ("tokenizer", "chat tokens", "backend", "logits are the source's", "prefill and decode agree"):
        assert outcomes[name] == "ok"
    assert isinstance(quality.mean_kl, Measured) and quality.mean_kl.value < 1e-8
    assert isinstance(quality.max_logit_difference, Measured) and quality.max_logit_difference.value < 1e-3
    assert seen[-1].done == seen[-1].total == reference.windows.tokens


def failed(quality: Quality) -> list[str]:
    return [check.name for check in quality.failed_checks]


def test_a_silent_fallback_fails_the_backend_check(
    float_model: FloatModel, facts: ModelFacts, reference: Reference, text: Text, tmp_path: Path
) -> None:
    path = artifact(float_model, "gguf")
    quality = examine(path, facts, reference, text, tmp_path, runtime="llama_cpp", delegate="vulkan")
    assert failed(quality) == ["backend"]
    assert quality.failed_checks[0].detail.startswith("asked for vulkan, ran on CPU")


def test_a_tokenizer_that_reads_otherwise_is_found(
    float_model: FloatModel, facts: ModelFacts, reference: Reference, text: Text, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(artifact(float_model, "onnx"), spoiled)
    content = json.loads((spoiled / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    vocabulary["e"], vocabulary["a"] = vocabulary["a"], vocabulary["e"]
    (spoiled / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    quality = examine(spoiled, facts, reference, text, tmp_path, runtime="onnx", delegate="cpu")
    assert failed(quality) == ["tokenizer"]


def test_a_folder_that_the_runtime_cannot_open_is_an_error(
    facts: ModelFacts, reference: Reference, text: Text, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime_genai")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeFailed):
        examine(tmp_path / "empty", facts, reference, text, tmp_path, runtime="onnx", delegate="cpu")


@formats
def test_a_measuring_session_sees_the_same_things_of_each(float_model: FloatModel, format: str) -> None:
    runtime, delegate = RUNTIMES[format]
    path = artifact(float_model, format)
    seen: list[Progress] = []
    measured = measure(
        path,
        sha256="digest",
        runtime=runtime,
        delegate=delegate,
        context=256,
        threads=1,
        prompt_tokens=(32, 300),
        decode_tokens=20,
        listener=seen.append,
    )
    assert measured.runtime.name == runtime
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    assert measured.artifact_bytes == sum(file.stat().st_size for file in files)
    for reading in (measured.load_warm_ms, measured.decode_tok_s, measured.inter_token_p99_ms):
        assert isinstance(reading, Measured) and reading.value > 0
    short, long = measured.prefill
    assert isinstance(short.ttft_p95_ms, Measured) and len(short.ttft_samples_ms) == 20
    assert long.ttft_samples_ms == ()
    peak, before = measured.memory.peak_rss_bytes, measured.memory.baseline_rss_bytes
    assert isinstance(peak, Measured) and isinstance(before, Measured)
    assert before.value < peak.value
    assert seen[-1].done == seen[-1].total > 0
