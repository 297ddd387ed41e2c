"""A program beside the runner, in a real workspace on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgeshrink.core.device import parse_address
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.devices.workspace import Workspace, open_workspace
from edgeshrink.measure.device.beside import Beside, DeviceClock


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with (
        closing(open_transport(parse_address("local"))) as transport,
        open_workspace(transport, keep=False, leftovers=tmp_path / "leftovers") as opened,
    ):
        yield opened


def wait_for(beside: Beside, count: int) -> None:
    end = time.monotonic() + 20
    while len(beside.samples) < count:
        assert time.monotonic() < end, beside.trouble
        time.sleep(0.01)


def test_every_line_bears_the_clock_since_boot(workspace: Workspace) -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    script = 'while :; do echo "VDD_IN  5000mW \\t \\033[2J"; sleep 0.02; done'
    with Beside(workspace, ("sh", "-c", script), name="power", clock=DeviceClock(), timeout_s=60) as beside:
        wait_for(beside, 5)
    after = time.clock_gettime(time.CLOCK_BOOTTIME)
    moments = [sample.at_s for sample in beside.samples]
    assert moments == sorted(moments) and before - 0.02 <= moments[0] and moments[-1] <= after
    assert {len(sample.texts) for sample in beside.samples} == {1}
    assert str(beside.samples[0].texts[0]).startswith("VDD_IN")
    assert beside.trouble == ""


def test_a_program_that_ends_by_itself_is_told(workspace: Workspace) -> None:
    with Beside(workspace, ("sh", "-c", "echo 1; exit 3"), name="x", clock=DeviceClock(), timeout_s=60) as beside:
        wait_for(beside, 1)
        end = time.monotonic() + 20
        while not beside.trouble:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert "ended by itself" in beside.trouble


def test_nothing_runs_where_there_is_nothing_to_run(workspace: Workspace) -> None:
    with Beside(workspace, (), name="x", clock=DeviceClock(), timeout_s=60) as beside:
        pass
    assert beside.samples == [] and beside.trouble == ""


def test_where_no_clock_can_be_read_lines_are_stamped_here(workspace: Workspace) -> None:
    clock = DeviceClock()
    beside = Beside(workspace, ("true",), name="x", clock=clock, timeout_s=60)
    beside._add("- too early")
    clock.set(1000.0)
    for line in ("- 7 W", "no stamp", "12.5 8 W", "-", "99999999999.1 too late"):
        beside._add(line)
    (first, second) = beside.samples
    assert first.texts == ("7 W",) and first.at_s == pytest.approx(1000.0, abs=1.0)
    assert (second.at_s, second.texts) == (12.5, ("8 W",))
