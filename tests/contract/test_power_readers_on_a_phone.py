"""The loops of `odpm` in a phone's own shell, over adb: probed, planned and read as a session does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from lab.device import LabDevice

from edgeshrink.core.device import parse_address
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.odpm import Odpm
from edgeshrink.measure.power.registry import READERS, all_commands, all_globs, choose

SERVICE = "android.hardware.power.stats.IPowerStats/default"
MANIFEST = "/vendor/etc/vintf/manifest/android.hardware.power.stats-service.pixel.xml"
DUMP = """
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


@pytest.fixture
def phone(adb_device: LabDevice) -> Iterator[Transport]:
    with closing(open_transport(parse_address(adb_device.address))) as transport:
        yield transport


class Enough(Exception):
    """The loop would go on for ever."""


def planned(phone: Transport) -> SamplingPlan:
    probe = phone.probe(all_globs(READERS), all_commands(READERS))
    found = choose(("odpm", "android-battery"), probe.shown)
    assert not isinstance(found, str), found
    return found[1]


def lines(phone: Transport, plan: SamplingPlan, count: int) -> list[RawSample]:
    taken: list[RawSample] = []

    def take(line: str) -> None:
        taken.append(RawSample(float(len(taken)), (line,)))
        if len(taken) == count:
            raise Enough

    with pytest.raises(Enough):
        phone.run(plan.command, on_line=take, timeout_s=60)
    return taken


def test_files_of_two_power_chips_are_read_a_line_a_reading(adb_device: LabDevice, phone: Transport) -> None:
    folder = "/sys/bus/iio/devices/iio:device{}/energy_value"
    adb_device.plant(
        folder.format(0), "t=349894\nCH0(T=349894)[S2M_VDD_CPUCL2], 30203502\nCH1(T=9)[VSYS_PWR_RFFE], 1\n"
    )
    adb_device.plant(folder.format(1), "t=349895\nCH0(T=349895)[S2S_VDD_G3D], 4000000\n")
    plan = planned(phone)
    taken = lines(phone, plan, 3)
    assert len(Odpm().watts(plan, taken)) == 3
    assert "S2M_VDD_CPUCL2 + S2S_VDD_G3D;" in Odpm().settled(plan, taken).scope


def test_the_dump_of_the_power_stats_service_gives_its_meter_alone(adb_device: LabDevice, phone: Transport) -> None:
    adb_device.plant(f"/system/dumpsys/{SERVICE}.txt", DUMP)
    adb_device.plant(MANIFEST, "<manifest/>\n")
    plan = planned(phone)
    (taken,) = lines(phone, plan, 1)
    assert taken.texts[0] is not None and "99999" not in taken.texts[0]
    assert "S1M_VDD_MIF + S4M_VDD_CPUCL0;" in Odpm().settled(plan, [taken]).scope
