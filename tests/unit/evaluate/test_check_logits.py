"""A source that numpy cannot run is a check that was skipped, with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.evaluate.checks.logits import check_source, source_opening


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
