"""Measurements against a budget."""

from __future__ import annotations

import dataclasses

import pytest

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Verdict
from edgeshrink.judging import judge
from edgeshrink.judging.judge import overall

ELSEWHERE = Unmeasured("measured on another device only")


def quality(mean_kl: Reading, checks: tuple[Check, ...] = ()) -> Quality:
    one = Measured(1.0)
    return Quality("reference.gguf", "text", "0" * 64, 100, mean_kl, one, one, one, one, one, one, one, checks)


def verdict_of(budget: Budget, mean_kl: Reading, checks: tuple[Check, ...] = ()) -> Verdict:
    return judge(
        budget, artifact_bytes=1000, measurements=ELSEWHERE, quality=quality(mean_kl, checks), predictions=None
    )


def test_a_reading_at_the_limit_passes_and_one_beyond_it_fails() -> None:
    budget = Budget(quality=QualityFloor(mean_kl_max=0.1))
    assert verdict_of(budget, Measured(0.1)).outcome == "PASS"
    assert verdict_of(budget, Measured(0.1000001)).outcome == "FAIL"


def test_an_unmeasured_figure_is_unknown_and_says_why() -> None:
    verdict = verdict_of(Budget(quality=QualityFloor(mean_kl_max=0.1)), Unmeasured("the reference is too big"))
    assert verdict.outcome == "UNKNOWN"
    assert verdict.lines[-1].why == "the reference is too big"


def test_a_floor_is_judged_from_below() -> None:
    budget = Budget(quality=QualityFloor(same_top_share_min=0.9))
    good = dataclasses.replace(quality(Measured(0.0)), same_top_share=Measured(0.95))
    bad = dataclasses.replace(good, same_top_share=Measured(0.85))
    outcomes = [
        judge(budget, artifact_bytes=1, measurements=ELSEWHERE, quality=value, predictions=None).outcome
        for value in (good, bad)
    ]
    assert outcomes == ["PASS", "FAIL"]


def test_size_is_judged_on_any_host_and_speed_only_on_the_device() -> None:
    budget = Budget.model_validate({"artifact_bytes_max": 999, "decode_tok_s_min": 5})
    lines = {line.name: line.outcome for line in verdict_of(budget, Measured(0.0)).lines}
    assert lines["artifact size"] == "FAIL"
    assert lines["decode speed"] == "UNKNOWN"


def test_a_failed_check_fails_the_verdict_with_its_words() -> None:
    verdict = verdict_of(Budget(), Measured(0.0), (Check("stop tokens", "failed", "id 2 is missing"),))
    assert verdict.outcome == "FAIL"
    assert "id 2 is missing" in verdict.lines[0].why


def test_a_skipped_check_does_not_fail() -> None:
    assert verdict_of(Budget(), Measured(0.0), (Check("template", "skipped", "there is none"),)).outcome == "PASS"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [(("PASS", "FAIL", "UNKNOWN"), "FAIL"), (("PASS", "UNKNOWN"), "UNKNOWN"), (("PASS",), "PASS"), ((), "UNKNOWN")],
)
def test_one_failure_outweighs_all_and_one_unknown_outweighs_passes(outcomes: tuple, expected: str) -> None:
    assert overall(outcomes) == expected


@pytest.mark.parametrize(
    ("outcome", "strict", "code"), [("PASS", True, 0), ("UNKNOWN", False, 0), ("UNKNOWN", True, 1), ("FAIL", False, 1)]
)
def test_exit_codes(outcome: str, strict: bool, code: int) -> None:
    assert Verdict(outcome, ()).exit_code(strict=strict) == code  # type: ignore[arg-type]
