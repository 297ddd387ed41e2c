"""A device that no profile names: its own kind decides the target, and so which power sources are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from recorded_devices import MARKER, RECORDED, answer

from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.device import Probe, ProbedDevice
from edgeshrink.core.request import Request
from edgeshrink.devices.local import this_machine
from edgeshrink.devices.matching import match
from edgeshrink.devices.probing.parse import parse
from edgeshrink.engine.attached import Attached
from edgeshrink.engine.place import Place, matched
from edgeshrink.engine.profile import found_profile

HERE = this_machine()


@pytest.fixture(autouse=True)
def no_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / name)
    monkeypatch.chdir(tmp_path)


def device(name: str) -> ProbedDevice:
    return parse(answer(RECORDED[name]), MARKER, "ssh:board").device


@pytest.mark.parametrize(("name", "target"), [("Jetson Nano", "jetson"), ("Raspberry Pi 5", "laptop-cpu")])
def test_an_unknown_board_has_the_target_of_its_kind(name: str, target: str) -> None:
    request = Request()
    found, profile = found_profile(request, load_target(request.target), HERE, device(name))
    assert (found.id, profile) == (target, HERE)


def test_a_target_that_was_asked_for_stays() -> None:
    request = Request(target="android")
    found, _ = found_profile(request, load_target("android"), HERE, device("Jetson Nano"))
    assert found.id == "android"


def test_a_profile_that_was_asked_for_brings_its_own_target() -> None:
    """Else a Jetson that is judged by its own profile would be looked at for a laptop's sensors."""
    request = Request(profile="jetson-orin-nano-8gb")
    asked = load_profile("jetson-orin-nano-8gb")
    found, profile = found_profile(request, load_target(request.target), asked, device("Jetson Nano"))
    assert (found.id, profile) == ("jetson", asked)


def place(seen: ProbedDevice, profile_id: str) -> Place:
    profile = load_profile(profile_id)
    return Place(profile, match(seen, profile), Attached(cast(Any, None), Probe(seen)))


def test_a_build_for_a_family_is_judged_by_the_member_that_is_attached() -> None:
    seen = device("Jetson Orin Nano")
    request, found = matched(Request(target="jetson"), load_target("jetson"), place(seen, "jetson-orin-nx-16gb"))
    assert found.is_device
    assert request.profile == found.profile.id != "jetson-orin-nx-16gb"


def test_a_build_for_another_family_keeps_the_targets_own_profile() -> None:
    opened = place(device("Jetson Orin Nano"), "pixel-8")
    assert matched(Request(target="android"), load_target("android"), opened) == (Request(target="android"), opened)
