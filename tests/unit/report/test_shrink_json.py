from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest
from sample_shrinkage import (
    sample_hostile_step,
    sample_prune_step,
    sample_refused_shrinkage,
    sample_shrinkage,
    sample_sparse_step,
    sample_step,
)

from edgeshrink.core.shrinking import Shrinkage, ShrinkStep
from edgeshrink.core.training import HeldOutPoint
from edgeshrink.errors import DataError
from edgeshrink.report.json import report_from_json, report_to_json, step_from_json, step_schema, step_to_json

from .sample import sample_report
from .test_json import _follows

STEPS = [sample_step(), sample_prune_step(), sample_sparse_step(), sample_hostile_step()]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_back_as_it_was_and_equal_steps_give_equal_bytes(step: ShrinkStep) -> None:
    text = step_to_json(step)
    assert step_from_json(text) == step
    assert step_to_json(step_from_json(text)) == text
    assert text.isascii() and text.endswith("}\n")


@pytest.mark.parametrize("step", STEPS)
def test_the_schema_of_a_step_describes_what_is_written(step: ShrinkStep) -> None:
    schema, data = step_schema(), json.loads(step_to_json(step))
    assert set(schema["properties"]) == set(data) == {field.name for field in fields(ShrinkStep)}
    _follows(data, schema, schema["$defs"])


@pytest.mark.parametrize("shrinkage", [sample_shrinkage(), sample_refused_shrinkage()])
def test_a_report_carries_all_of_it(shrinkage: Shrinkage) -> None:
    report = replace(sample_report(), shrinkage=shrinkage, folder=None)
    assert report_from_json(report_to_json(report)) == report


def test_the_schema_is_looked_at_first() -> None:
    data = json.loads(step_to_json(sample_step()))
    data["schema"] = "edgeshrink-shrink-0"
    del data["before"]
    with pytest.raises(DataError, match=r"schema is 'edgeshrink-shrink-0', expected 'edgeshrink-shrink-1'"):
        step_from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["before"]["shape"].pop("ffn"), r"before\.shape\.ffn"),
        (lambda data: data["training"]["objective"].update(divergence="sideways"), r"training\.objective\.divergence"),
        (lambda data: data.update(kept="perhaps"), "kept"),
    ],
)
def test_what_is_no_step_is_refused_with_the_key(change: object, said: str) -> None:
    data = json.loads(step_to_json(sample_step()))
    change(data)  # type: ignore[operator]
    with pytest.raises(DataError, match=said):
        step_from_json(json.dumps(data))


def test_text_that_is_no_step_is_refused() -> None:
    with pytest.raises(DataError, match="not a shrinking step"):
        step_from_json("[1, 2")


def test_a_point_that_is_not_finite_is_a_gap_of_the_curve_and_stops_no_report() -> None:
    step = sample_step()
    assert step.training is not None
    first, *rest = step.training.points
    held = (HeldOutPoint(300, math.inf, math.nan, None), HeldOutPoint(360, 0.2, 2.5, math.nan))
    record = replace(step.training, points=(replace(first, loss=math.nan), *rest), held_out=held)
    again = step_from_json(step_to_json(replace(step, training=record))).training
    assert again is not None
    assert again.points == tuple(rest)
    assert again.held_out == (HeldOutPoint(360, 0.2, 2.5, None),)
