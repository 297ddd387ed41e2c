from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_networks as tiny
from built_formats import build_format
from tiny_models import write_tiny_model

from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes import onnx
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.onnx_providers import delegate_of, execution_providers, genai_provider

pytest.importorskip("onnxruntime_genai")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("source") / "llama", demo_model)


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_format(source, tmp_path_factory.mktemp("onnx") / "llama", "onnx").parent


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[onnx.GenaiSession]:
    with onnx.load(folder, context=100, threads=1) as opened:
        yield opened


def without(provider: str) -> None:
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has {provider}")


def test_no_torch_is_needed(folder: Path) -> None:
    code = (
        "import sys, pathlib; from edgeshrink.runtimes import onnx; onnx.preload(); onnx.preload(network=True); "
        f"s = onnx.load(pathlib.Path({str(folder)!r}), context=64, threads=1); s.tokenize('a', add_special=True, "
        "parse_special=False); s.prefill([5, 6]); s.piece(5); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_context_asked_for_is_the_limit_and_never_more_than_the_models(
    folder: Path, session: onnx.GenaiSession
) -> None:
    assert session.context == 100
    with onnx.load(folder, context=10**6, threads=1) as opened:
        assert opened.context == json.loads((folder / onnx.CONFIG).read_text("utf-8"))["model"]["context_length"] == 256


def test_emptying_the_context_leaves_nothing_behind(session: onnx.GenaiSession) -> None:
    session.reset()
    expected = [session.prefill([70, 71, 72]), session.decode(73)]
    for other in ([5] * 100, [9, 8, 7]):
        session.reset()
        session.prefill(other)
        session.reset()
        assert session.position == 0
        found = [session.prefill([70, 71, 72]), session.decode(73)]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_provider_that_is_not_there_is_no_silent_fallback(folder: Path) -> None:
    without("CUDAExecutionProvider")
    with pytest.raises(RuntimeFailed, match=r"(?i)cuda"):
        onnx.load(folder, context=64, threads=1, delegate="cuda")
    with pytest.raises(RuntimeFailed, match="toaster"):
        onnx.load(folder, context=64, threads=1, delegate="toaster")


def test_a_networks_fallback_to_the_cpu_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    without("CUDAExecutionProvider")
    tiny.write_onnx(tmp_path / "tiny.onnx")
    with onnx.open_network(tmp_path / "tiny.onnx", threads=1, delegate="cuda") as network:
        assert network.facts().backend == "cpu"
        network.run(tiny.inputs(1))
    assert capfd.readouterr() == ("", "")


def test_a_head_that_computes_the_last_position_alone_gives_all_of_them_one_by_one(
    source: Path, session: onnx.GenaiSession, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-p", "fp32", "-e", "cpu"]
    command += ["-i", str(source), "-o", str(tmp_path / "pruned"), "--extra_options", "prune_lm_head=true"]
    subprocess.run(command, capture_output=True, check=True)
    ids = list(range(20, 40))
    with onnx.load(tmp_path / "pruned", context=100, threads=1) as pruned:
        np.testing.assert_allclose(pruned.logits(ids), session.logits(ids), atol=1e-4)
        assert pruned.position == len(ids)


def test_weights_cut_short_and_a_config_without_figures_are_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    (data,) = (tmp_path / "broken").glob("*.data")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(RuntimeFailed, match="broken"):
        onnx.load(tmp_path / "broken", context=64, threads=1)
    (tmp_path / "broken" / onnx.CONFIG).write_text('{"model": {}}', "utf-8")
    with pytest.raises(RuntimeFailed, match="context_length"):
        onnx.load(tmp_path / "broken", context=64, threads=1)


def test_a_lone_network_is_no_language_model(tmp_path: Path) -> None:
    tiny.write_onnx(tmp_path / "tiny.onnx")
    with pytest.raises(RuntimeFailed, match=r"no genai_config\.json"):
        onnx.load(tmp_path / "tiny.onnx", context=64, threads=1)


def test_it_runs_in_a_child_that_must_not_spin(folder: Path) -> None:
    """`run_job` asks for threads that sleep while they wait."""
    found = run_job("onnx_jobs:say", {"folder": str(folder)})
    assert found == {"spins": "0", "ids": [70, 71], "logits": 4096}


def test_delegates_have_names_in_both_libraries() -> None:
    assert genai_provider("cpu") is None
    assert execution_providers("cpu") == ["CPUExecutionProvider"]
    assert execution_providers("cuda") == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert [delegate_of(name) for name in execution_providers("coreml")] == ["coreml", "cpu"]
    assert genai_provider("NewThing") == "NewThing"
    assert delegate_of("NewThingExecutionProvider") == "NewThingExecutionProvider"
