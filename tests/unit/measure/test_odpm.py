"""Rails as Pixels show them: the Pixel 6's and 4's files, both versions of the power stats dump; the loops run here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.odpm import Odpm
from edgeshrink.measure.power.readings import UNREADABLE

FILE = "/sys/bus/iio/devices/iio:device0/energy_value"
PIXEL_6 = """t=349894
CH0(T=349894)[S10M_VDD_TPU], 5578756
CH1(T=349894)[VSYS_PWR_MODEM], 29110940
CH2(T=349894)[VSYS_PWR_RFFE], 3166046
CH3(T=349894)[S2M_VDD_CPUCL2], 30203502
CH4(T=349894)[S3M_VDD_CPUCL1], 23377533
CH5(T=349894)[S4M_VDD_CPUCL0], 46356942
CH6(T=349894)[S5M_VDD_INT], 10771876
CH7(T=349894)[S1M_VDD_MIF], 21091363"""
PIXEL_6_J = (5578756 + 30203502 + 23377533 + 46356942 + 10771876 + 21091363) / 1e6
PIXEL_4 = "349894\nVPH_PWR_CPU,30203502\nVPH_PWR_RF,3166046"
DUMP = """
============= PowerStats HAL 2.0 state residencies ==============
  CPU   30 ms
========== End of PowerStats HAL 2.0 state residencies ==========
============= PowerStats HAL 2.0 energy consumers ==============
             CPUCL0          99999.00 mWs
========== End of PowerStats HAL 2.0 energy consumers ==========
============= PowerStats HAL 2.0 energy meter ==============
                           Channel    Cumulative Energy
            [S4M_VDD_CPUCL0]:CPU          46356.94 mWs
             [VSYS_PWR_MODEM]:Modem          29110.94 mWs
              [S1M_VDD_MIF]:Memory          21091.36 mWs
========== End of PowerStats HAL 2.0 energy meter ==========
"""
FIRST_DUMP = DUMP.replace("[S4M_VDD_CPUCL0]:CPU", "S4M_VDD_CPUCL0").replace("[S1M_VDD_MIF]:Memory", "S1M_VDD_MIF")
MANIFEST = {"/vendor/etc/vintf/manifest/android.hardware.power.stats-service.pixel.xml": "<manifest/>"}
DUMPSYS = {"command:dumpsys": "/system/bin/dumpsys"}


def planned(shown: dict[str, str]) -> SamplingPlan:
    plan = Odpm().plan(shown)
    assert isinstance(plan, SamplingPlan), plan
    assert plan.averages
    return plan


def watts(plan: SamplingPlan, first: str, second: str, seconds: float = 2.0) -> list[float]:
    samples = [RawSample(0.0, (first,)), RawSample(seconds, (second,))]
    return [sample.watts for sample in Odpm().watts(plan, samples)]


MORE = {
    "46356942": "52356942",
    "46356.94": "52356.94",
    "30203502\nVPH": "36203502\nVPH",
    "29110940": "89110940",
    "29110.94": "89110.94",
}


def spent(text: str) -> str:
    """The same counters after 6 J more of the processor and 60 J more of the modem."""
    for before, after in MORE.items():
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("text", [PIXEL_6, PIXEL_4])
def test_rails_of_the_processor_are_added_and_others_left_out(text: str) -> None:
    plan = planned({FILE: text})
    assert "CPU" in plan.scope and "MODEM" not in plan.scope and "VPH_PWR_RF" not in plan.scope
    assert watts(plan, text, spent(text)) == pytest.approx([3.0, 3.0])
    assert watts(plan, text.replace("\n", " "), spent(text).replace("\n", " ")) == pytest.approx([3.0, 3.0])


def test_the_scope_names_every_rail_that_counts() -> None:
    rails = ("S10M_VDD_TPU", "S2M_VDD_CPUCL2", "S3M_VDD_CPUCL1", "S4M_VDD_CPUCL0", "S5M_VDD_INT", "S1M_VDD_MIF")
    assert all(rail in planned({FILE: PIXEL_6}).scope for rail in rails)


def test_a_torn_line_and_a_counter_that_started_again_are_left_out() -> None:
    plan = planned({FILE: PIXEL_6})
    torn = PIXEL_6[: PIXEL_6.index("CH6")]
    texts = [PIXEL_6, torn, spent(PIXEL_6), PIXEL_6.replace("46356942", "5"), PIXEL_6.replace("46356942", "2000005")]
    found = Odpm().watts(plan, [RawSample(2.0 * n, (text,)) for n, text in enumerate(texts)])
    assert [(sample.at_s, round(sample.watts, 6)) for sample in found] == [(0.0, 1.5), (4.0, 1.5), (8.0, 1.0)]


def test_where_files_are_closed_the_dump_of_a_pixel_is_read() -> None:
    closed = {FILE: "", UNREADABLE + FILE: "Permission denied"}
    plan = planned(closed | MANIFEST | DUMPSYS)
    assert "/system/bin/dumpsys android.hardware.power.stats.IPowerStats/default" in plan.command[-1]
    assert "Permission denied" in str(Odpm().plan(closed | DUMPSYS))
    assert "of a Pixel" in str(Odpm().plan(DUMPSYS)), "another phone's dumpsys has no such service"


def test_rails_without_a_processor_are_a_reason() -> None:
    assert "no rail of a processor" in str(Odpm().plan({FILE: "t=1\nCH0(T=1)[VSYS_PWR_MODEM], 29110940"}))


def lines_of(plan: SamplingPlan, programs: Path, count: int) -> list[str]:
    """The first lines of the plan's loop, which would go on for ever; `sleep` is made to be short."""
    sleep = programs / "sleep"
    sleep.write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 0.01\n")
    sleep.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(plan.command, env={"PATH": path}, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            return list(islice(program.stdout, count))
        finally:
            program.kill()


@pytest.mark.skipif(os.name != "posix", reason="no sh here")
def test_the_loop_over_files_prints_a_line_a_reading(tmp_path: Path) -> None:
    other = FILE.replace("device0", "device1")
    plan = planned({FILE: PIXEL_6, other: "t=349894\nCH0(T=349894)[S2S_VDD_G3D], 4000000"})
    for file, text in ((FILE, PIXEL_6), (other, "t=349894\nCH0(T=349894)[S2S_VDD_G3D], 4000000")):
        place = tmp_path / file.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_text(text + "\n")
    script = plan.command[-1].replace("/sys/", f"{tmp_path}/sys/")
    here = replace(plan, command=("sh", "-c", script))
    first, second = lines_of(here, tmp_path, 2)
    assert first == second
    assert "S2S_VDD_G3D" in Odpm().settled(plan, [RawSample(0.0, (first,))]).scope
    assert watts(plan, first, spent(second)) == pytest.approx([3.0, 3.0])


@pytest.mark.skipif(os.name != "posix", reason="no sh here")
@pytest.mark.parametrize("dump", [DUMP, FIRST_DUMP])
def test_the_loop_over_the_dump_keeps_the_meter_alone(dump: str, tmp_path: Path) -> None:
    (tmp_path / "dump").write_text(dump)
    dumpsys = tmp_path / "dumpsys"
    asked = "android.hardware.power.stats.IPowerStats/default"
    dumpsys.write_text(f"#!/bin/sh\n[ \"$1\" = {asked} ] && cat '{tmp_path}/dump'\n")
    dumpsys.chmod(0o755)
    plan = planned(MANIFEST | {"command:dumpsys": str(dumpsys)})
    first, second = lines_of(plan, tmp_path, 2)
    assert first == second and "99999" not in first
    assert watts(plan, first, spent(second)) == pytest.approx([3.0, 3.0])
    assert "S1M_VDD_MIF + S4M_VDD_CPUCL0" in Odpm().settled(plan, [RawSample(0.0, (first,))]).scope
