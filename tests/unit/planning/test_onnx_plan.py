"""What an ONNX build comes to, from the configuration alone. Bytes of built folders: test_onnx_language.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quant_types import storage_type
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.planning.layout import layout
from edgeshrink.planning.onnx import scheme_names
from edgeshrink.planning.resolve import Situation, plan_for

CALIBRATION = MachineCalibration("here", "2026-11-21T12:00:00+00:00", 2, 1e10, 4e10, 2**25, 1e-4, 1e11, 6e6, 5e8)


def situation(facts: ModelFacts, parameters: dict[str, Any] | None = None, **request: Any) -> Situation:
    target = load_target("jetson")
    if parameters is not None:
        changed = target.formats["onnx"].model_copy(update={"parameters": parameters})
        target = target.model_copy(update={"formats": {**target.formats, "onnx": changed}})
    return Situation(
        request=Request(format="onnx", **request),
        facts=facts,
        target=target,
        profile=load_profile("jetson-orin-nano-8gb"),
        layout=layout(facts),
        header=(),
        tokenizer_bytes=1000,
        calibration=CALIBRATION,
        on_this_host=True,
    )


@pytest.fixture
def demo(demo_model: Path) -> ModelFacts:
    return inspect_model(str(demo_model))


@pytest.fixture
def untied(demo: ModelFacts) -> ModelFacts:
    return replace(demo, tied_embeddings=False, config={**demo.config, "tie_word_embeddings": False})


def types(facts: ModelFacts, scheme: str, **more: Any) -> dict[str, str]:
    return {tensor.name: tensor.type for tensor in plan_for(situation(facts, **more), scheme).tensors}


# Rows of 256 columns: 8 blocks of 32. Codes, scales and zero points were read off files that onnxruntime runs.
@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("int4/32", 256, 8 * (16 + 4)),
        ("int4z/32", 256, 8 * (16 + 4) + 4),
        ("int4zh/32", 256, 8 * (16 + 2) + 4),
        ("int8/32", 256, 8 * (32 + 4)),
        ("int8z/32", 256, 8 * (32 + 4) + 8),
        ("int8/128", 256, 2 * (128 + 4)),
        ("int4/32", 80, 3 * (16 + 4)),  # filled up to 96
        ("int4z/32", 80, 3 * (16 + 4) + 2),
    ],
)
def test_a_row_takes_whole_blocks(name: str, row: int, expected: int) -> None:
    assert storage_type(name).takes_row(row)
    assert storage_type(name).row_bytes(row) == expected


def test_what_meets_every_token_has_eight_bits(demo: ModelFacts, untied: ModelFacts) -> None:
    tied, apart = types(demo, "int4"), types(untied, "int4")
    assert tied["token_embd.weight"] == "int8z/32" and "output.weight" not in tied
    assert apart["output.weight"] == "int8z/32"
    assert apart["token_embd.weight"] == "int8/32"
    for found in (tied, apart):
        assert found["blk.0.ffn_down.weight"] == "int4z/32"
        assert found["blk.0.attn_norm.weight"] == found["cos_cache"] == "F32"


def test_the_size_of_blocks_is_the_targets(demo: ModelFacts) -> None:
    wide = situation(demo, {"block_size": 128})
    assert types(demo, "int8", parameters={"block_size": 128})["output_norm.weight"] == "F32"
    assert types(demo, "int8", parameters={"block_size": 128})["blk.0.attn_q.weight"] == "int8/128"
    assert dict(plan_for(wide, "int4").settings)["block_size"] == 128
    assert dict(plan_for(situation(demo, {}), "int4").settings)["block_size"] == 32


def test_an_odd_number_of_blocks_is_rounded_without_zero_points(demo: ModelFacts) -> None:
    odd = situation(demo, {"block_size": 256})  # rows of 256 and 768: one block and three
    assert dict(plan_for(odd, "int4").settings)["algorithm"] == "rtn"
    assert types(demo, "int4", parameters={"block_size": 256})["blk.0.ffn_down.weight"] == "int4/256"
    assert dict(plan_for(situation(demo), "int4").settings)["algorithm"] == "k_quant"


@pytest.mark.parametrize("parameters", [{"block_size": 48}, {"block_size": True}, {"block_size": "32"}, {"groups": 32}])
def test_a_wrong_parameter_of_the_target_is_named(parameters: dict[str, Any], demo: ModelFacts) -> None:
    with pytest.raises(PlanError, match=rf"jetson.*{next(iter(parameters))}"):
        plan_for(situation(demo, parameters), "int4")


def test_rotary_tables_have_the_planned_context(demo: ModelFacts) -> None:
    tensors = plan_for(situation(demo, context=100), "fp32").tensors
    assert [tensor.shape for tensor in tensors if tensor.name in ("cos_cache", "sin_cache")] == [(100, 32)] * 2
    assert all(tensor.transform == "none" for tensor in tensors)


def test_tensor_types_are_for_gguf(demo: ModelFacts) -> None:
    with pytest.raises(PlanError, match="--tensor-type is for GGUF"):
        plan_for(situation(demo, tensor_types=(("attn", "Q8_0"),)), "int4")


def test_a_gguf_source_is_refused(demo: ModelFacts) -> None:
    gguf = replace(demo, source=replace(demo.source, kind="gguf"))
    with pytest.raises(UnsupportedModel, match="not of a GGUF"):
        plan_for(replace(situation(demo), facts=gguf), "int4")


@pytest.mark.parametrize(("head_dim", "taken"), [(64, True), (80, True), (8, False), (40, False)])
def test_heads_that_the_kernels_do_not_take_are_refused_before_the_export(
    head_dim: int, taken: bool, demo: ModelFacts
) -> None:
    found = replace(situation(demo), facts=replace(demo, head_dim=head_dim))
    if taken:
        assert plan_for(found, "int4").tensors
        return
    with pytest.raises(UnsupportedModel, match=f"multiple of 16, this model's have {head_dim}") as caught:
        plan_for(found, "int4")
    assert "gguf or executorch" in caught.value.hint


def test_cuda_computes_in_half_precision_only(demo: ModelFacts) -> None:
    found = types(demo, "int4", delegate="cuda")
    assert found["blk.0.ffn_up.weight"] == "int4zh/32"
    assert found["blk.0.attn_norm.weight"] == found["cos_cache"] == "F16"
    with pytest.raises(PlanError, match="cuda delegate does not compute fp32") as caught:
        plan_for(situation(demo, delegate="cuda"), "fp32")
    assert "int4, int8, fp16" in caught.value.hint
    assert isinstance(plan_for(situation(demo, delegate="cuda"), "int4").predictions.peak_rss_bytes, Unmeasured)


def value(estimate: object) -> float:
    assert isinstance(estimate, Estimate)
    return estimate.value


def test_fewer_bits_are_predicted_smaller(demo: ModelFacts) -> None:
    found = [plan_for(situation(demo), scheme).predictions for scheme in scheme_names()]
    sizes = [value(prediction.artifact_bytes) for prediction in found]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] / 4
    for prediction in found:
        assert value(prediction.build_s) > 30
        assert value(prediction.host_ram_bytes) > 400 << 20
        assert value(prediction.host_disk_bytes) > 2 * value(prediction.artifact_bytes)
        assert value(prediction.decode_tok_s) > 0 and value(prediction.ttft_p95_ms) > 0


# Sessions of measure.session on the demo model: prompts of 256, 32, 128 and 512 tokens, context 512 (this machine).
@pytest.mark.parametrize(("scheme", "measured_mib"), [("int4", 107.6), ("int8", 109.2), ("fp16", 125.2), ("fp32", 122)])
def test_peak_memory_is_near_what_was_measured(scheme: str, measured_mib: float, demo: ModelFacts) -> None:
    found = value(plan_for(situation(demo, context=512), scheme).predictions.peak_rss_bytes)
    assert found == pytest.approx(measured_mib * 2**20, rel=0.03)


def test_memory_grows_with_context_and_vocabulary(demo: ModelFacts) -> None:
    short = value(plan_for(situation(demo, context=128), "int4").predictions.peak_rss_bytes)
    long = value(plan_for(situation(demo, context=512), "int4").predictions.peak_rss_bytes)
    assert long - short > 384 * 2 * demo.kv_bytes_per_token_f16
