from __future__ import annotations

import pytest

from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.rapl import Rapl
from edgeshrink.measure.power.readings import UNREADABLE

FOLDER = "/sys/class/powercap/"
RANGE = 65_532_610_987


def zones(**names: str) -> dict[str, str]:
    """`intel_rapl_0="package-0"` -> the three files of that zone; __ stands for a colon inside."""
    shown: dict[str, str] = {}
    for folder, name in names.items():
        zone = FOLDER + folder.replace("__", ":").replace("_", "-")
        shown |= {f"{zone}/name": name, f"{zone}/energy_uj": "1", f"{zone}/max_energy_range_uj": str(RANGE)}
    return shown


def planned(shown: dict[str, str]) -> SamplingPlan:
    plan = Rapl().plan(shown)
    assert isinstance(plan, SamplingPlan), plan
    return plan


def watts(*counters: tuple[int, ...], every_s: float = 1.0) -> list[float]:
    """Mean watts between readings of the counters of all packages."""
    shown = zones(**{f"intel_rapl__{n}": f"package-{n}" for n in range(len(counters[0]))})
    texts = [tuple(text for count in row for text in (str(count), str(RANGE))) for row in counters]
    samples = [RawSample(every_s * n, row) for n, row in enumerate(texts)]
    return [sample.watts for sample in Rapl().watts(planned(shown), samples)]


def test_a_counter_that_starts_again_is_followed() -> None:
    assert watts((RANGE - 2_000_000,), (3_000_000,), (4_000_000,))[1:] == pytest.approx([5.0, 1.0])


def test_packages_are_added() -> None:
    assert watts((0, 100), (2_000_000, 3_000_100))[1:] == pytest.approx([5.0])


def test_a_counter_read_wrong_is_not_taken_for_one_that_started_again() -> None:
    found = watts((40_000_000_000,), (40_005_000_000,), (12,), (40_015_000_000,), every_s=1.0)
    assert found[1:] == pytest.approx([5.0, 5.0])


def test_parts_of_packages_and_the_board_are_left_out() -> None:
    shown = zones(
        intel_rapl__0="package-0", intel_rapl__1="package-1", intel_rapl__0__0="core", intel_rapl__0__1="uncore",
        intel_rapl__0__2="dram", intel_rapl__2="psys", intel_rapl_mmio__0="package-0",
    )  # fmt: skip
    files = planned(shown).files
    assert {file.rpartition("/")[0] for file in files} == {FOLDER + "intel-rapl:0", FOLDER + "intel-rapl:1"}


def test_an_amd_processor_shows_packages_and_cores() -> None:
    """Linux 5.11 and later show AMD's counters through the same zones."""
    plan = planned(zones(intel_rapl__0="package-0", intel_rapl__0__0="core"))
    assert plan.files[0] == FOLDER + "intel-rapl:0/energy_uj"
    assert "processor packages" in plan.scope


def test_the_platform_counter_is_taken_where_it_is_alone_and_said_to_be_that() -> None:
    plan = planned(zones(intel_rapl__1="psys"))
    assert plan.files[0] == FOLDER + "intel-rapl:1/energy_uj"
    assert "platform" in plan.scope


def test_ten_packages_stand_in_their_order() -> None:
    shown = zones(**{f"intel_rapl__{n}": f"package-{n}" for n in range(11)})
    assert [int(file.split(":")[1].split("/")[0]) for file in planned(shown).files[::2]] == list(range(11))


def test_a_counter_for_root_only_says_how_to_open_it() -> None:
    shown = zones(intel_rapl__0="package-0")
    shown |= {
        FOLDER + "intel-rapl:0/energy_uj": "",
        UNREADABLE + FOLDER + "intel-rapl:0/energy_uj": "Permission denied",
    }
    reason = Rapl().plan(shown)
    assert isinstance(reason, str)
    assert "Permission denied" in reason and "chmod a+r" in reason


@pytest.mark.parametrize("text", ["", "-5", "12abc", "1\n2"])
def test_a_counter_that_is_no_number_is_a_reason(text: str) -> None:
    reason = Rapl().plan(zones(intel_rapl__0="package-0") | {FOLDER + "intel-rapl:0/energy_uj": text})
    assert isinstance(reason, str)
    assert "shows no number" in reason


def test_a_machine_without_packages_is_a_reason() -> None:
    assert "no package zone" in str(Rapl().plan(zones(intel_rapl__0__0="core")))
