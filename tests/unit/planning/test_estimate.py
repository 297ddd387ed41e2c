"""Predictions: exact where they can be, monotone where they must be, and absent where nothing is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.plan import Predictions, TensorPlan
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.planning.estimate import bytes_per_token, decode_seconds, predict, repacked_bytes
from edgeshrink.planning.layout import layout

MIB = 1 << 20
CALIBRATION = MachineCalibration(
    host_id="h",
    taken_at="2026-01-01",
    threads=2,
    dram_read_bytes_s=10e9,
    cache_read_bytes_s=40e9,
    cache_bytes=32 * MIB,
    decode_overhead_s=0.0005,
    prefill_flop_s=50e9,
    quantize_weights_s=5e6,
    disk_write_bytes_s=200e6,
)


def predictions(stories: Path, *, on_this_host: bool, calibration: MachineCalibration | None) -> Predictions:
    facts = inspect_model(str(stories))
    return predict(
        facts,
        layout(facts),
        file_bytes=1_000_000,
        context=256,
        profile=load_profile("jetson-orin-nano-8gb"),
        calibration=calibration,
        on_this_host=on_this_host,
        prompt_tokens=128,
        uses_imatrix=False,
    )


def test_weights_inside_the_cache_are_read_at_its_speed() -> None:
    inside = decode_seconds(8 * MIB, 16, CALIBRATION) - CALIBRATION.decode_overhead_s
    outside = decode_seconds(640 * MIB, 16, CALIBRATION) - CALIBRATION.decode_overhead_s
    assert inside == pytest.approx(8 * MIB / CALIBRATION.cache_read_bytes_s)
    assert outside == pytest.approx(640 * MIB / CALIBRATION.dram_read_bytes_s)


def test_more_bytes_never_take_less_time() -> None:
    times = [decode_seconds(size * MIB, 16, CALIBRATION) for size in range(1, 200)]
    assert times == sorted(times)


def test_an_untied_embedding_table_is_not_read_whole() -> None:
    embedding = TensorPlan("token_embd.weight", "e", (1000, 64), "F16", "")
    output = dataclasses.replace(embedding, name="output.weight")
    assert bytes_per_token((embedding,)) == embedding.nbytes
    assert bytes_per_token((embedding, output)) == output.nbytes


@pytest.mark.parametrize(
    ("kind", "rows", "features", "copied"),
    [
        ("Q4_K", 64, ("avx2",), True),
        ("Q4_K", 60, ("avx2",), False),
        ("Q6_K", 64, ("avx2",), False),
        ("Q6_K", 64, ("asimddp",), True),
        ("Q8_0", 64, ("avx2", "avx512f"), False),
        ("Q4_K", 64, (), False),
    ],
)
def test_a_second_copy_is_counted_where_the_kernels_want_another_layout(
    kind: str, rows: int, features: tuple[str, ...], copied: bool
) -> None:
    tensor = TensorPlan("blk.0.ffn_up.weight", "s", (rows, 256), kind, "")
    assert repacked_bytes((tensor,), features) == (tensor.nbytes if copied else 0)


def test_an_uncalibrated_host_gets_no_guess(stories: Path) -> None:
    answer = predictions(stories, on_this_host=True, calibration=None)
    assert isinstance(answer.decode_tok_s, Unmeasured)
    assert "doctor" in answer.decode_tok_s.reason


def test_another_device_is_predicted_from_its_data_sheet_not_from_this_host(stories: Path) -> None:
    answers = [predictions(stories, on_this_host=False, calibration=value) for value in (None, CALIBRATION)]
    assert answers[0].decode_tok_s == answers[1].decode_tok_s
    assert isinstance(answers[0].decode_tok_s, Estimate)
    assert isinstance(answers[0].ttft_p95_ms, Unmeasured)


def test_a_step_through_more_layers_costs_more_beside_its_weights() -> None:
    assert decode_seconds(0, 32, CALIBRATION) == pytest.approx(2 * CALIBRATION.decode_overhead_s)
