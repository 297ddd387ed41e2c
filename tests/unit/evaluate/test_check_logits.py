"""A source that numpy cannot run is a check that was skipped; two ways to one position must meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.evaluate.checks.logits import STEP_TOLERANCE, check_source, check_steps, source_opening


@pytest.mark.parametrize(
    ("scaling", "named"),
    [({"rope_type": "yarn", "factor": 4.0}, "original_max_position_embeddings"), ({"rope_type": "new"}, "'new'")],
)
def test_a_rotary_scaling_that_is_incomplete_or_unknown_skips_the_check(
    stories: Path, scaling: dict[str, object], named: str
) -> None:
    reason = source_opening(replace(inspect_model(str(stories)), rope_scaling=scaling), (1, 2, 3))
    assert isinstance(reason, str) and named in reason
    check = check_source("logits", "F32", None, reason)  # type: ignore[arg-type]
    assert (check.outcome, check.detail) == ("skipped", reason)


@pytest.mark.parametrize("weights", sorted(STEP_TOLERANCE))
def test_prefill_and_decode_agree_within_what_the_weights_explain(weights: str) -> None:
    random = np.random.default_rng(3)
    at_once, noise = random.standard_normal((2, 3, 500)).astype(np.float32)
    for share, outcome in ((0.5, "ok"), (2.0, "failed")):
        other = at_once + share * STEP_TOLERANCE[weights] * noise * np.linalg.norm(at_once) / np.linalg.norm(noise)
        assert check_steps(weights, np.stack([100 + at_once, 100 + other])).outcome == outcome


def random_steps() -> np.ndarray:
    """The same logits twice, which agree."""
    steps = np.stack([np.random.default_rng(4).standard_normal((3, 8)).astype(np.float32)] * 2)
    assert check_steps("F32", steps).outcome == "ok"
    return steps


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_no_numbers_agree_with_nothing(broken: float) -> None:
    steps = random_steps()
    steps[1, 2, 3] = broken
    assert check_steps("mixed", steps).outcome == "failed"
