"""What an ExecuTorch build comes to, from the configuration alone. Bytes of files: test_executorch_language.py."""

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
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.planning.executorch import tensors
from edgeshrink.planning.layout import layout
from edgeshrink.planning.resolve import Situation, plan_for

CALIBRATION = MachineCalibration("here", "2026-11-21T12:00:00+00:00", 2, 1e10, 4e10, 2**25, 1e-4, 1e11, 6e6, 5e8)


def situation(facts: ModelFacts, parameters: dict[str, Any] | None = None, **request: Any) -> Situation:
    target = load_target("android")
    if parameters is not None:
        changed = target.formats["executorch"].model_copy(update={"parameters": parameters})
        target = target.model_copy(update={"formats": {**target.formats, "executorch": changed}})
    return Situation(
        request=Request(format="executorch", **request),
        facts=facts,
        target=target,
        profile=load_profile("pixel-8"),
        layout=layout(facts),
        header=(),
        tokenizer_bytes=1000,
        calibration=CALIBRATION,
        on_this_host=True,
    )


def types(found: Situation, scheme: str) -> dict[str, str]:
    return {tensor.name: tensor.type for tensor in tensors(found, scheme)}


@pytest.fixture
def demo(demo_model: Path) -> ModelFacts:
    return inspect_model(str(demo_model))


def test_8da4w_takes_groups_for_what_is_multiplied_and_bytes_for_what_is_looked_up(demo: ModelFacts) -> None:
    found = types(situation(demo), "8da4w")
    assert found["blk.0.attn_q.weight"] == found["output.weight"] == "i4g32"
    assert found["token_embd.weight"] == "i8row"
    assert found["blk.0.attn_norm.weight"] == "F32"


def test_group_size_and_embedding_bits_come_from_the_target(demo: ModelFacts) -> None:
    given = situation(demo, {"group_size": 128, "embedding_bits": 4})
    found = types(given, "8da4w")
    assert found["blk.0.ffn_up.weight"] == "i4g128"
    assert found["token_embd.weight"] == "i4g32f"
    assert plan_for(given, "8da4w").settings == (("group_size", 128), ("embedding_bits", 4))


def test_a_row_that_no_group_divides_takes_a_smaller_group_or_eight_bits(demo: ModelFacts) -> None:
    found = types(situation(replace(demo, ffn_size=160), {"group_size": 128}), "8da4w")
    assert found["blk.0.ffn_down.weight"] == "i4g32"
    assert types(situation(replace(demo, ffn_size=112)), "8da4w")["blk.0.ffn_down.weight"] == "i8row"


def test_a_tied_table_in_float_stands_once_and_quantized_twice(demo: ModelFacts) -> None:
    assert demo.tied_embeddings
    assert "output.weight" not in types(situation(demo), "fp32")
    assert {"output.weight", "token_embd.weight"} <= set(types(situation(demo), "8da8w"))


def test_a_matrix_named_by_hand_takes_the_type_given(demo: ModelFacts) -> None:
    found = types(situation(demo, tensor_types=(("ffn_down", "i8row"), ("token_embd", "i4g32f"))), "8da4w")
    assert found["blk.4.ffn_down.weight"] == "i8row"
    assert found["token_embd.weight"] == "i4g32f"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nothing_here", "i8row"), "matches no matrix"),
        (("ffn_down", "Q4_K"), "no such type"),
        (("token_embd", "i4g64"), "cannot be"),
        (("ffn_(", "i8row"), "unterminated"),
    ],
)
def test_an_override_that_fits_nothing_is_refused(demo: ModelFacts, given: tuple[str, str], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        tensors(situation(demo, tensor_types=(given,)), "8da4w")


@pytest.mark.parametrize("parameters", [{"group_size": 48}, {"embedding_bits": 2}, {"groups": 32}])
def test_a_parameter_that_the_exporter_cannot_follow_is_refused_with_what_it_may_be(
    demo: ModelFacts, parameters: dict[str, Any]
) -> None:
    with pytest.raises(PlanError, match=next(iter(parameters))) as caught:
        plan_for(situation(demo, parameters), "8da4w")
    assert caught.value.hint


def test_a_scheme_that_the_delegate_does_not_compute_is_refused_with_those_it_does(demo: ModelFacts) -> None:
    with pytest.raises(PlanError, match="vulkan delegate does not compute 8da8w") as caught:
        tensors(situation(demo, delegate="vulkan"), "8da8w")
    assert caught.value.hint == "it computes: 4w, fp32"


def test_vulkan_keeps_its_scales_wide_and_stores_an_empty_cache(demo: ModelFacts) -> None:
    found = types(situation(demo, delegate="vulkan"), "4w")
    assert found["blk.0.attn_q.weight"] == "i4g32f"
    assert "cache_zeros" in found
    assert "cache_zeros" not in types(situation(demo), "8da4w")


def test_a_gguf_source_is_refused_with_what_to_give_instead(demo: ModelFacts) -> None:
    facts = replace(demo, source=replace(demo.source, kind="gguf"))
    with pytest.raises(UnsupportedModel, match="Hugging Face folder") as caught:
        tensors(replace(situation(demo), facts=facts), "8da4w")
    assert "GGUF" in caught.value.hint


def test_fewer_bits_are_predicted_to_take_less_of_everything(demo: ModelFacts) -> None:
    four, floats = (plan_for(situation(demo), scheme).predictions for scheme in ("8da4w", "fp32"))
    for line in ("artifact_bytes", "peak_rss_bytes"):
        small, large = getattr(four, line), getattr(floats, line)
        assert isinstance(small, Estimate) and isinstance(large, Estimate)
        assert small.value < large.value


def test_a_longer_context_is_predicted_to_take_its_cache(demo: ModelFacts) -> None:
    short, long = (plan_for(situation(demo, context=n), "8da4w").predictions.peak_rss_bytes for n in (128, 512))
    assert isinstance(short, Estimate) and isinstance(long, Estimate)
    assert long.value - short.value >= (512 - 128) * 2 * demo.kv_bytes_per_token_f16


def test_without_a_calibration_the_build_time_is_not_guessed(demo: ModelFacts) -> None:
    found = plan_for(replace(situation(demo), calibration=None), "8da4w").predictions.build_s
    assert isinstance(found, Unmeasured)
