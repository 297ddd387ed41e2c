"""Lines as macmon's readme shows them (0.5 and later), as users recorded them, and without the controller's figure."""

from __future__ import annotations

import json

import pytest

from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.macmon import Macmon

README = {
    "timestamp": "2025-02-24T20:38:15.427569+00:00", "temp": {"cpu_temp_avg": 43.73614, "gpu_temp_avg": 36.95167},
    "ecpu_usage": [1181, 0.082656614], "cpu_power": 0.20486385, "gpu_power": 0.017451683, "ane_power": 0.0,
    "all_power": 0.22231553, "sys_power": 5.876533, "ram_power": 0.11635789, "gpu_ram_power": 0.0009615385,
}  # fmt: skip
FIRST_VERSION = {"cpu_power": 1.5, "gpu_power": 0.25, "ane_power": 0.125, "temp": {"cpu_temp_avg": 27.16}}
NO_CONTROLLER = {"all_power": 2.67, "cpu_power": 1.8, "gpu_power": 0.864, "ane_power": 0.0, "sys_power": 0.0}


def planned() -> SamplingPlan:
    plan = Macmon().plan({"command:macmon": "/opt/homebrew/bin/macmon"})
    assert isinstance(plan, SamplingPlan)
    return plan


def lines(*values: object) -> list[RawSample]:
    return [RawSample(0.1 * n, (json.dumps(value),)) for n, value in enumerate(values)]


def test_the_controllers_figure_is_taken_and_said_to_be_inferred() -> None:
    taken = lines(README, README)
    plan = Macmon().settled(planned(), taken)
    assert (plan.origin, plan.averages) == ("inferred", False)
    assert "PSTR" in plan.why and "whole Mac" in plan.scope
    assert [sample.watts for sample in Macmon().watts(plan, taken)] == pytest.approx([5.876533] * 2)


@pytest.mark.parametrize(("line", "watts"), [(FIRST_VERSION, 1.875), (NO_CONTROLLER, 2.67)])
def test_without_it_apples_model_is_taken_and_never_called_measured(line: dict[str, object], watts: float) -> None:
    taken = lines(line, line)
    plan = Macmon().settled(planned(), taken)
    assert (plan.origin, plan.averages) == ("modelled", True)
    assert "estimates" in plan.why
    assert [sample.watts for sample in Macmon().watts(plan, taken)] == pytest.approx([watts] * 2)


def test_lines_that_are_no_figures_are_left_out() -> None:
    broken: list[object] = [[1, 2], "x", {"sys_power": "5"}, {"sys_power": True}, {"sys_power": -1}]
    taken = lines(README, *broken, README)
    for n, text in enumerate(('{"sys_power": 5.', '{"sys_power": NaN}', '{"sys_power": 1e999}', "[" * 100_000)):
        taken.append(RawSample(1.0 + n, (text,)))
    assert [sample.watts for sample in Macmon().watts(planned(), taken)] == pytest.approx([5.876533] * 2)
    assert Macmon().settled(planned(), taken).origin == "inferred"
