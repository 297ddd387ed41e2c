"""What the types of profiles and budgets take, and what they refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from edgeshrink.core.budget import Budget
from edgeshrink.core.verdict import Outcome, Verdict


def budget(**keys: Any) -> Budget:
    return Budget.model_validate_json(json.dumps(keys), strict=True)


def test_bytes_may_have_a_binary_or_a_decimal_unit() -> None:
    assert budget(artifact_bytes_max="1.5GiB").artifact_bytes_max == 3 * 2**29
    assert budget(artifact_bytes_max="1.5GB").artifact_bytes_max == 1_500_000_000
    assert budget(artifact_bytes_max=4096).artifact_bytes_max == 4096


@pytest.mark.parametrize("wrong", [0, -5, "0GiB", "5 bananas", "", True, 1.5])
def test_bytes_that_are_none_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        budget(artifact_bytes_max=wrong)


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan"), "8"])
def test_a_limit_is_a_finite_positive_number(wrong: object) -> None:
    with pytest.raises(ValidationError):
        budget(ttft_p95_ms_max=wrong)


def test_a_share_is_at_most_one() -> None:
    assert budget(quality={"same_top_share_min": 1}).quality.same_top_share_min == 1
    with pytest.raises(ValidationError):
        budget(quality={"same_top_share_min": 1.01})


def test_a_limit_that_is_left_out_is_not_judged() -> None:
    empty = budget()
    assert empty.artifact_bytes_max is None and empty.quality.mean_kl_max is None
    assert empty.ttft_prompt_tokens == 256


@pytest.mark.parametrize(
    ("outcome", "strict", "code"),
    [("PASS", False, 0), ("PASS", True, 0), ("UNKNOWN", False, 0), ("UNKNOWN", True, 1), ("FAIL", False, 1)],
)
def test_the_exit_code_of_a_verdict(outcome: Outcome, strict: bool, code: int) -> None:
    assert Verdict(outcome, ()).exit_code(strict=strict) == code
