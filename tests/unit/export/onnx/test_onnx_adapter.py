"""An adapter in ONNX Runtime computes what peft computes, and a graph with places for one is else the plain graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from low_rank import ALL, peft_logits, write_random_adapter
from numpy.typing import NDArray
from tiny_models import write_tiny_model

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.catalog.models import inspect_model
from edgeshrink.errors import RuntimeFailed, StepFailed, UnsupportedModel
from edgeshrink.export.onnx.adapter import adapted_layers, write_onnx_adapter
from edgeshrink.runtimes import onnx
from edgeshrink.runtimes.child import run_job

pytest.importorskip("onnxruntime_genai")
pytest.importorskip("peft")
IDS = [int(number) for number in np.random.default_rng(8).integers(3, 4096, 40)]
FEW = ("k_proj", "down_proj")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """qwen3 in float32, in int4 (and there without places too), and an adapter of every layer and one of few."""
    folder = tmp_path_factory.mktemp("onnx-adapters")
    source = write_tiny_model(folder / "base", demo_model, "qwen3")
    for name, targets, seed in (("every", ALL, 5), ("few", FEW, 6)):
        write_random_adapter(folder / name, source, targets=targets, seed=seed)
    every = [update.weight for update in read_adapter(folder / "every").updates]
    cases = [
        (str(source), str(folder / name), scheme, weights)
        for name, scheme, weights in (("fp32", "fp32", every), ("int4", "int4", every), ("plain", "int4", []))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        run_job("onnx_adapters:build_all", {"cases": cases})
    return folder


def logits(folder: Path, adapter: Path | None = None) -> NDArray[np.float32]:
    with onnx.load(folder, context=64, threads=1, adapter=adapter) as session:
        return session.logits(IDS)


def written(place: Path, name: str, model: str, tmp_path: Path) -> Path:
    file = tmp_path / f"{name}.onnx_adapter"
    facts = inspect_model(str(place / "base"))
    write_onnx_adapter(file, facts, read_adapter(place / name), model=place / model / "model.onnx")
    return file


@pytest.mark.parametrize("name", ["every", "few"])
def test_the_pair_computes_what_peft_computes(place: Path, tmp_path: Path, name: str) -> None:
    found = logits(place / "fp32", written(place, name, "fp32", tmp_path))

    assert np.abs(found - peft_logits(place / "base", place / name, IDS)).max() < 1e-4
    assert np.abs(found - logits(place / "fp32")).max() > 0.5


def test_an_adapter_stays_after_the_context_is_emptied(place: Path, tmp_path: Path) -> None:
    file = written(place, "few", "fp32", tmp_path)
    with onnx.load(place / "fp32", context=64, threads=1, adapter=file) as session:
        whole = session.logits(IDS)
        session.reset()
        session.prefill(IDS[:-1])
        last = session.decode(IDS[-1])

    assert np.abs(last - whole[-1]).max() < 1e-4


def test_without_an_adapter_the_places_change_nothing(place: Path) -> None:
    assert np.array_equal(logits(place / "int4"), logits(place / "plain"))


def test_a_quantized_base_is_brought_near_what_peft_computes(place: Path, tmp_path: Path) -> None:
    expected = peft_logits(place / "base", place / "every", IDS)

    def agreement(found: NDArray[np.float32]) -> float:
        return float(np.corrcoef(found.ravel(), expected.ravel())[0, 1])

    with_it = agreement(logits(place / "int4", written(place, "every", "int4", tmp_path)))
    assert with_it > 0.9
    assert agreement(logits(place / "int4")) < 0.5


def test_a_graph_without_places_is_refused_before_it_runs(place: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="has no place for an update of model"):
        written(place, "every", "plain", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_runtime_says_which_file_it_cannot_load(place: Path, tmp_path: Path) -> None:
    damaged: Any = tmp_path / "damaged.onnx_adapter"
    damaged.write_bytes(b"no adapter at all")

    with pytest.raises(RuntimeFailed, match=r"damaged\.onnx_adapter: onnxruntime-genai cannot load"):
        logits(place / "fp32", damaged)
    with pytest.raises(RuntimeFailed, match="no such file"):
        logits(place / "fp32", tmp_path / "none.onnx_adapter")


def test_an_update_of_the_head_is_refused(place: Path) -> None:
    facts = inspect_model(str(place / "base"))

    with pytest.raises(UnsupportedModel, match="updates lm_head"):
        adapted_layers(facts, ["model.layers.0.self_attn.q_proj.weight", "lm_head.weight"])
