"""What any power meter must do. A new one adds to `BENCHES` a place where joules can be spent in front of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeshrink.errors import PlanError
from edgeshrink.measure.power.interface import Meter
from edgeshrink.measure.power.rapl import Rapl
from edgeshrink.measure.power.registry import METERS, first_available, meter


@dataclass
class Bench:
    """A meter over a source that the test controls, and the same over a place where there is no source."""

    meter: Meter
    spend: Callable[[float], None]
    nowhere: Meter


def _rapl(folder: Path) -> Bench:
    zone = folder / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("1000000\n")

    def spend(joules: float) -> None:
        counter = zone / "energy_uj"
        counter.write_text(f"{int(counter.read_text()) + round(1e6 * joules)}\n")

    return Bench(Rapl(folder / "powercap"), spend, Rapl(folder / "no powercap here"))


BENCHES: dict[str, Callable[[Path], Bench]] = {"rapl": _rapl}


@pytest.fixture(params=sorted(METERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(name: str, tmp_path: Path) -> Bench:
    return BENCHES[name](tmp_path)


def test_it_reads_what_was_spent_between_start_and_stop(bench: Bench) -> None:
    assert bench.meter.available() is None
    bench.spend(5)
    bench.meter.start()
    bench.spend(1.25)
    bench.spend(0.5)
    assert bench.meter.stop() == pytest.approx(1.75)


def test_it_can_be_used_again_and_reads_nothing_where_nothing_was_spent(bench: Bench) -> None:
    for joules in (0.0, 2.0, 0.0):
        bench.meter.start()
        bench.spend(joules)
        assert bench.meter.stop() == pytest.approx(joules)


def test_a_source_that_is_not_there_is_a_reason_not_a_failure(bench: Bench) -> None:
    reason = bench.nowhere.available()
    assert reason
    assert "no powercap here" in reason


def test_it_says_what_its_joules_include(bench: Bench) -> None:
    assert len(bench.meter.scope) > 20


def test_the_real_one_answers_on_this_machine(name: str) -> None:
    here = meter(name)
    reason = here.available()
    if reason is None:
        here.start()
        assert here.stop() >= 0
    else:
        found = first_available((name,))
        assert isinstance(found, str)
        assert reason in found


def test_names_nobody_knows() -> None:
    with pytest.raises(PlanError, match="steam") as caught:
        meter("steam")
    assert "rapl" in caught.value.hint
    found = first_available(("steam",))
    assert isinstance(found, str)
    assert "steam: edgeshrink has no such meter" in found
    assert first_available(()) == "no power source: the target names none"
