"""This host's sensors, planted under a folder; time stands still but where the test moves it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.measure.power import here
from edgeshrink.measure.power.here import PowerHere, from_json, shown_here

IDLE_W, BUSY_W = 4.0, 19.0


class Machine:
    """Its clock, and a counter and a battery that follow its power; files change by rename, never torn."""

    def __init__(self, root: Path) -> None:
        self.root, self.now, self.joules, self.power = root, 100.0, 1.0, IDLE_W

    def now_s(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.joules += self.power * seconds
        self.show()

    def show(self) -> None:
        self.plant("/sys/class/powercap/intel-rapl:0/energy_uj", f"{round(1e6 * self.joules)}\n")
        self.plant("/sys/class/power_supply/BAT0/power_now", f"{round(1e6 * self.power)}\n")

    def plant(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name("new")
        new.write_text(text)
        new.replace(place)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    machine.plant("/sys/class/powercap/intel-rapl:0/name", "package-0\n")
    machine.plant("/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n")
    machine.plant("/sys/class/power_supply/BAT0/type", "Battery\n")
    machine.plant("/sys/class/power_supply/BAT0/status", "Discharging\n")
    machine.show()
    monkeypatch.setattr(here, "now_s", machine.now_s)
    monkeypatch.setattr(time, "sleep", machine.sleep)
    return machine


def session(machine: Machine, names: tuple[str, ...], step_s: float, steps: int) -> dict[str, Any]:
    power = PowerHere(names, machine.root)
    with power.sampling():
        power.rest()
        machine.power = BUSY_W
        for _ in range(3):
            machine.sleep(0.4)  # a prompt
            power.begin()
            for _ in range(steps):
                machine.sleep(step_s)
                power.look()
            power.end(steps)
    seen = json.loads(json.dumps(power.as_json()))  # it crosses processes
    assert isinstance(seen, dict)
    return seen


def value(reading: Reading) -> float:
    assert isinstance(reading, Measured), reading
    return reading.value


@pytest.mark.parametrize(
    ("source", "step_s", "steps"),
    [("rapl", 0.005, 128), ("rapl", 0.02, 64), ("rapl", 0.3, 10), ("battery", 0.05, 100), ("battery", 0.3, 20)],
)
def test_energy_of_a_token_on_this_host(machine: Machine, source: str, step_s: float, steps: int) -> None:
    record, net, each = from_json(session(machine, (source,), step_s, steps))
    assert value(net) == pytest.approx(1e3 * (BUSY_W - IDLE_W) * step_s, rel=0.01)
    assert value(record.baseline_w) == pytest.approx(IDLE_W)
    assert value(record.decode_w) == pytest.approx(BUSY_W, rel=0.01)
    assert record.source == source and record.origin == "measured"
    assert [value(one) for one in each] == pytest.approx([value(net)] * 3, rel=0.01)


def test_a_counter_needs_no_long_decode(machine: Machine) -> None:
    seen = session(machine, ("rapl",), 0.001, 32)
    assert value(from_json(seen)[1]) == pytest.approx(1e3 * (BUSY_W - IDLE_W) * 0.001, rel=0.01)
    seen = session(machine, ("battery",), 0.001, 32)
    assert "decode for longer" in str(from_json(seen)[1])
    assert "run for longer" in str(from_json(seen, unit="run")[2][0])


def test_files_are_read_every_50_ms_at_most_and_at_both_ends(machine: Machine) -> None:
    seen = session(machine, ("rapl",), 0.005, 128)
    moments = [at_s for at_s, _ in seen["samples"]]
    for began, ended, done in seen["windows"]:
        inside = [at_s for at_s in moments if began <= at_s <= ended]
        assert inside[0] == began and inside[-1] == ended and done == 128
        assert len(inside) <= 0.64 / 0.05 + 2


def test_a_sensor_that_vanishes_costs_the_energy_not_the_session(machine: Machine) -> None:
    power = PowerHere(("rapl",), machine.root)
    (machine.root / "sys/class/powercap/intel-rapl:0/energy_uj").unlink()
    power.begin()
    machine.now += 5
    power.end(10)
    record, net, _ = from_json(power.as_json())
    assert isinstance(net, Unmeasured) and "none of 2 readings" in net.reason
    assert record.origin == "unavailable"


def test_where_there_is_no_source_nothing_is_read_and_nobody_waits(machine: Machine) -> None:
    power = PowerHere(("ina3221", "tegrastats"), machine.root)
    with power.sampling():
        power.rest()
        power.begin()
        power.look()
        power.end(5)
    assert machine.now == 100.0
    record, net, each = from_json(power.as_json())
    assert isinstance(net, Unmeasured)
    assert net.reason.startswith("no power source: tried ina3221: ") and "tegrastats: " in net.reason
    assert (record.origin, each) == ("unavailable", ())
    assert record.why == net.reason


def test_what_this_host_shows_has_no_root_in_its_paths(machine: Machine) -> None:
    shown = shown_here(("rapl", "battery"), machine.root)
    assert shown["/sys/class/powercap/intel-rapl:0/name"] == "package-0"
    assert shown["/sys/class/power_supply/BAT0/status"] == "Discharging"


def test_a_file_that_may_not_be_read_is_shown_as_that(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[Path, int], str] = here._read

    def refuse(path: Path, limit: int) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return real(path, limit)

    monkeypatch.setattr(here, "_read", refuse)
    reason = str(from_json(PowerHere(("rapl",), machine.root).as_json())[1])
    assert "energy_uj cannot be read: Permission denied" in reason


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands for the program")
def test_a_programs_lines_are_taken_as_they_come_and_it_ends_with_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tegrastats"
    loop = "while :; do echo 'VDD_IN 5000mW/5000mW VDD_SOC 9mW/9mW'; sleep 0.01; done"
    program.write_text(f"#!/bin/sh\necho $$ > '{tmp_path}/pid'\n{loop}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    power = PowerHere(("tegrastats",), tmp_path)
    with power.sampling():
        while len(power.as_json()["samples"]) < 5:
            time.sleep(0.01)
    record, _, _ = from_json(power.as_json())
    assert record.source == "tegrastats" and record.timeline[0].watts == 5.0
    if sys.platform == "linux":
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
