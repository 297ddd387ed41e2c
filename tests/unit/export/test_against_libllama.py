"""What we write in one pass from a checkpoint is, byte for byte, what libllama's own quantizer makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from libllama_oracle import (
    PRESETS,
    checkpoint,
    facts,
    gguf_by_gguf_py,
    metadata,
    plans,
    quantize,
    random_weights,
    tensor_bytes,
)

from edgeshrink.catalog.models import inspect_model
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import Experts, ModelFacts, SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import layout
from edgeshrink.planning.presets import preset_types

MIXTURES = {
    "mixtral": facts(model_type="mixtral", layers=1, vocab=128, experts=Experts(4, 2, 256)),
    "qwen2_moe": facts(
        model_type="qwen2_moe",
        layers=2,
        hidden=64,
        heads=4,
        vocab=96,
        tied=True,
        experts=Experts(5, 2, 96, shared_ffn=160),
    ),
}


@dataclass(frozen=True)
class Case:
    """A model twice: as we read it, and as an unquantized GGUF of the same values for libllama to read."""

    facts: ModelFacts
    tensors: tuple[TensorPlan, ...]
    metadata: tuple[KeyValue, ...]
    source: Mapping[str, SourceTensor]
    theirs: Path

    def write(self, out: Path, scheme: str, importance: Mapping[str, np.ndarray] | None = None) -> Path:
        tensors = preset_types(scheme, self.tensors, self.facts, has_imatrix=importance is not None)
        write_gguf(out, self.metadata, tensors, self.source, importance=importance, threads=2, listener=silent)
        return out

    def imatrix(self) -> dict[str, np.ndarray]:
        """Mean squares per column for every matrix but the embedding, with a column that was never active."""
        random = np.random.default_rng(1)
        found = {}
        for plan in self.tensors:
            if len(plan.shape) > 1 and plan.name != "token_embd.weight":
                columns = plan.shape[-1] * (plan.shape[0] if len(plan.shape) > 2 else 1)
                found[plan.name] = (random.random(columns, np.float32) ** 4 * 3).astype(np.float32)
                found[plan.name][5] = 0
        return found


def random_case(folder: Path, model: ModelFacts, dtype: str = "BF16") -> Case:
    tensors = plans(model)
    weights = random_weights(tensors)
    source = checkpoint(folder / "weights.bin", one_tensor_a_source(tensors, weights), dtype)
    if dtype == "F16":  # the oracle gets what float16 keeps
        weights = {name: values.astype(np.float16).astype(np.float32) for name, values in weights.items()}
    gguf_by_gguf_py(folder / "f32.gguf", model, {plan.name: weights[plan.source] for plan in tensors})
    return Case(model, tensors, metadata(model), source, folder / "f32.gguf")


def one_tensor_a_source(tensors: tuple[TensorPlan, ...], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each expert's matrix on its own, as a checkpoint holds them."""
    found: dict[str, np.ndarray] = {}
    for plan in tensors:
        stacked = weights[plan.source]
        found |= zip(plan.sources, stacked if plan.experts else [stacked.reshape(plan.source_shape)], strict=True)
    return found


@pytest.fixture(scope="module", params=["the demo", "4:1 heads, tied", "64-wide rows"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Case:
    folder = tmp_path_factory.mktemp("model")
    if request.param == "4:1 heads, tied":
        return random_case(folder, facts(layers=2, heads=8, kv_heads=2, ffn=256, vocab=300, tied=True))
    if request.param == "64-wide rows":
        return random_case(folder, facts(layers=2, hidden=64, ffn=172, heads=4, kv_heads=2, vocab=96, tied=True))
    demo = inspect_model(str(demo_model), offline=True)
    source = {tensor.name: tensor for tensor in demo.tensors}
    made = Case(demo, layout(demo), model_metadata(demo, file_type=0, name="demo"), source, folder / "bf16.gguf")
    made.write(made.theirs, "BF16")
    return made


@pytest.mark.parametrize("given", ["plain", "imatrix"])
@pytest.mark.parametrize("scheme", PRESETS)
def test_tensor_bytes_are_those_of_libllama(case: Case, scheme: str, given: str, tmp_path: Path) -> None:
    importance = case.imatrix() if given == "imatrix" else None
    quantize(case.theirs, tmp_path / "theirs.gguf", scheme, imatrix=importance)
    ours = case.write(tmp_path / "ours.gguf", scheme, importance)
    assert tensor_bytes(ours) == tensor_bytes(tmp_path / "theirs.gguf")


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_other_source_types_are_quantized_from_the_same_values(dtype: str, tmp_path: Path) -> None:
    case = random_case(tmp_path, facts(layers=2, ffn=256), dtype)
    quantize(case.theirs, tmp_path / "theirs.gguf", "Q4_K_M")
    assert tensor_bytes(case.write(tmp_path / "ours.gguf", "Q4_K_M")) == tensor_bytes(tmp_path / "theirs.gguf")


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [("mixtral", "Q2_K"), ("mixtral", "Q4_K_M"), ("qwen2_moe", "IQ4_NL"), ("qwen2_moe", "Q4_0"), ("qwen2_moe", "F16")],
)
def test_each_expert_is_quantized_by_its_own_importance_as_in_libllama(kind: str, scheme: str, tmp_path: Path) -> None:
    case = random_case(tmp_path, MIXTURES[kind])
    for importance in (None, case.imatrix()):
        quantize(case.theirs, tmp_path / "theirs.gguf", scheme, imatrix=importance)
        ours = case.write(tmp_path / "ours.gguf", scheme, importance)
        assert tensor_bytes(ours) == tensor_bytes(tmp_path / "theirs.gguf")
