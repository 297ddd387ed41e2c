"""Sessions on several devices: what a person must do on one of them reaches them as it is, progress with its device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.core.device import Address
from edgeshrink.core.events import Progress, notice
from edgeshrink.core.request import Request
from edgeshrink.engine import fleet
from edgeshrink.errors import DeviceError

SENTENCE = "adb:R1: unlock the phone"


def test_a_notice_of_one_session_comes_through_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_job(_: str, __: dict[str, Any], *, on_event: Callable[[dict[str, Any]], None], **rest: Any) -> None:
        for event in (notice(SENTENCE), Progress("measure", 1, 2)):
            on_event({"task": event.task, "done": event.done, "total": event.total, "unit": event.unit})
        raise DeviceError("enough")

    monkeypatch.setattr(fleet, "run_job", run_job)
    seen: list[Progress] = []
    fleet.profile_on_devices(Path("model.gguf"), Request(), (Address("adb", "R1"),), listener=seen.append)
    assert seen == [notice(SENTENCE), Progress("adb:R1: measure", 1, 2)]
