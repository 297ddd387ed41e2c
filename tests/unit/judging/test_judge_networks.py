"""Networks are judged by their outputs and one run's time, and any artifact by the backend that really ran."""

from __future__ import annotations

from typing import Any

import pytest

from edgeshrink.core.budget import Budget
from edgeshrink.core.measurement import (
    HostFacts,
    HostState,
    InferencePoint,
    Measurements,
    Memory,
    RuntimeFacts,
)
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Verdict, VerdictLine
from edgeshrink.judging import judge

NO = Unmeasured("not asked")


def network(cosine: float, score: Reading = NO, reference: Reading = NO) -> NetworkQuality:
    one = Measured(1.0)
    return NetworkQuality("torch", "images", "0" * 64, 10, Measured(cosine), one, one, one, one, score, reference)


def measured(backend: str, *p95_ms: Reading) -> Measurements:
    state = HostState(NO, NO, "", NO, NO)
    points = tuple(InferencePoint(f"x {size}", reading, reading, reading, ()) for size, reading in enumerate(p95_ms))
    parts: dict[str, Any] = {
        "artifact_sha256": "0" * 64,
        "artifact_bytes": 1,
        "taken_at": "2026-01-01",
        "repetitions": 5,
        "host": HostFacts("h", "Linux", "cpu", 2, 1, "3.11"),
        "runtime": RuntimeFacts("onnx", "1", "b", backend, (), 1, 0, 0),
        "before": state,
        "after": state,
        "prefill": (),
        "inter_token_samples_ms": (),
        "memory": Memory(NO, NO, NO, NO, NO, ()),
        "inference": points,
    }
    rest = ("load_cold_ms", "load_warm_ms", "decode_tok_s", "inter_token_p50_ms", "inter_token_p95_ms")
    parts.update(dict.fromkeys((*rest, "inter_token_p99_ms", "energy_mj_per_token"), NO))
    return Measurements(**parts)


def verdict(
    budget: Budget, quality: NetworkQuality, seen: Measurements | Unmeasured = NO, delegate: str | None = None
) -> Verdict:
    return judge(
        budget, artifact_bytes=1, measurements=seen, quality=quality, predictions=None, delegate=delegate, network=True
    )


def line(verdict: Verdict, name: str) -> VerdictLine:
    return next(entry for entry in verdict.lines if entry.name == name)


@pytest.mark.parametrize(("cosine", "outcome"), [(0.991, "PASS"), (0.989, "FAIL")])
def test_the_outputs_are_held_to_the_float_networks(cosine: float, outcome: str) -> None:
    assert line(verdict(Budget(), network(cosine)), "output cosine").outcome == outcome


def test_a_score_may_drop_by_the_floor_and_no_more() -> None:
    kept = verdict(Budget(), network(1.0, Measured(0.80, n=100), Measured(0.81, n=100)))
    lost = verdict(Budget(), network(1.0, Measured(0.79, n=100), Measured(0.81, n=100)))
    assert line(kept, "score drop").outcome == "PASS"
    assert line(lost, "score drop").outcome == "FAIL"
    assert "0.7900 against 0.8100" in line(lost, "score drop").why


def test_a_network_without_a_scorer_has_no_line_for_it() -> None:
    assert "score drop" not in [entry.name for entry in verdict(Budget(), network(1.0)).lines]


def test_the_slowest_input_shape_decides_on_the_time_of_a_run() -> None:
    budget = Budget.model_validate({"inference_p95_ms_max": 10})
    seen = measured("cpu", Measured(3.0), Measured(12.0))
    assert line(verdict(budget, network(1.0), seen), "inference p95").outcome == "FAIL"
    partly = measured("cpu", Measured(3.0), Unmeasured("too few samples"))
    assert line(verdict(budget, network(1.0), partly), "inference p95").outcome == "UNKNOWN"


def test_a_network_is_asked_for_no_tokens() -> None:
    budget = Budget.model_validate({"decode_tok_s_min": 10, "ttft_p95_ms_max": 10})
    names = [entry.name for entry in verdict(budget, network(1.0), measured("cpu")).lines]
    assert not any("speed" in name or "TTFT" in name for name in names)


def test_a_silent_fallback_to_the_cpu_fails_and_says_what_ran() -> None:
    fallen = line(verdict(Budget(), network(1.0), measured("cpu"), "cuda"), "backend")
    assert (fallen.outcome, fallen.why) == ("FAIL", "cuda was asked for, cpu ran")
    assert line(verdict(Budget(), network(1.0), measured("xnnpack"), "xnnpack"), "backend").outcome == "PASS"
    assert line(verdict(Budget(), network(1.0), NO, "xnnpack"), "backend").outcome == "UNKNOWN"
