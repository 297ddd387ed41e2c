from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from sample_behaviour import sample_bare_behaviour, sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.report.json import report_from_json, report_schema, report_to_json

from .sample import sample_report
from .sample_gates import sample_verdict
from .test_json import _follows

EVERY = [sample_behaviour(), sample_calm_behaviour(), sample_bare_behaviour()]


def with_bounds(bounds: tuple[float, float]) -> Behaviour:
    """Its first slice's first metric has these."""
    behaviour = sample_behaviour()
    first = behaviour.slices[0]
    metrics = (replace(first.metrics[0], bounds=bounds), *first.metrics[1:])
    return replace(behaviour, slices=(replace(first, metrics=metrics), *behaviour.slices[1:]))


def report_of(behaviour: Behaviour) -> Report:
    return replace(sample_report(), folder=None, behaviour=behaviour, verdict=sample_verdict(behaviour))


@pytest.mark.parametrize("behaviour", EVERY)
def test_a_report_reads_back_with_its_behaviour_and_its_gates(behaviour: Behaviour) -> None:
    report = report_of(behaviour)
    text = report_to_json(report)
    assert report_from_json(text) == report
    assert "\x1b" not in text and "\u202e" not in text
    _follows(json.loads(text), report_schema(), report_schema()["$defs"])


@pytest.mark.parametrize("bounds", [(0.5, math.inf), (-math.inf, 0.5), (-math.inf, math.inf), (0, 1)])
def test_an_interval_that_is_open_at_an_end_stays_so(bounds: tuple[float, float]) -> None:
    report = report_of(with_bounds(bounds))
    text = report_to_json(report)
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    again = report_from_json(text)
    assert again == report
    assert report_to_json(again) == text


def test_a_loss_that_is_no_number_is_unmeasured_with_that_reason() -> None:
    behaviour = sample_behaviour()
    first = behaviour.slices[0]
    metrics = (replace(first.metrics[0], loss=Measured(math.nan)),)
    broken = replace(sample_report(), behaviour=replace(behaviour, slices=(replace(first, metrics=metrics),)))
    again = report_from_json(report_to_json(broken)).behaviour
    assert again is not None
    loss = again.slices[0].metrics[0].loss
    assert isinstance(loss, Unmeasured) and "finite" in loss.reason
