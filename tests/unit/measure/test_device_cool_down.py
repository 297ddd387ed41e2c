"""Cooling down, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeshrink.core.events import Progress
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.session import CoolDown
from edgeshrink.measure.device.cool_down import LONGEST_S, cool_down


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def wait(wish: CoolDown, temperature: Callable[[float], Reading]) -> tuple[tuple[str, ...], float, list[Progress]]:
    clock, seen = Clock(), list[Progress]()
    said = cool_down(wish, lambda: temperature(clock.now), seen.append, sleep=clock.sleep, clock=lambda: clock.now)
    return said, clock.now, seen


def cooling(now: float) -> Reading:
    return Measured(80 - now / 2)


def test_without_a_wish_nothing_is_asked() -> None:
    said, waited, _ = wait(CoolDown(), lambda _: pytest.fail("asked"))
    assert (said, waited) == ((), 0)


def test_it_waits_until_the_hottest_sensor_is_cool_and_shows_it() -> None:
    said, waited, seen = wait(CoolDown(celsius=50), cooling)
    assert waited == 60
    assert said == ("cooled down to 50 °C in 60 s",)
    assert seen[0].task == "cool down (80 °C)" and seen[-1].done < 60


def test_a_cool_device_is_not_kept_waiting() -> None:
    assert wait(CoolDown(celsius=90), cooling)[1] == 0


def test_a_device_that_stays_hot_is_given_up_on_and_it_is_said() -> None:
    said, waited, _ = wait(CoolDown(celsius=50), lambda _: Measured(71.0))
    assert waited == LONGEST_S
    assert said == (f"it did not cool down to 50 °C: 71 °C after {LONGEST_S:.0f} s",)
    assert wait(CoolDown(celsius=50, seconds=10), lambda _: Measured(71.0))[1] == 10


def test_a_time_needs_no_sensor() -> None:
    said, waited, _ = wait(CoolDown(seconds=30), lambda _: pytest.fail("asked"))
    assert (said, waited) == (("waited 30 s to cool down",), 30)


def test_a_temperature_without_a_sensor_is_not_waited_for() -> None:
    said, waited, _ = wait(CoolDown(celsius=50), lambda _: Unmeasured("no thermal zone"))
    assert waited == 0 and said == ("it was not cooled down to 50 °C: no thermal zone",)
    said, waited, _ = wait(CoolDown(celsius=50, seconds=20), lambda _: Unmeasured("no thermal zone"))
    assert waited == 20 and "no thermal zone" in said[0]
