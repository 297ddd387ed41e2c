"""Which device is which profile's, and in what it differs from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from recorded_devices import GALAXY_S24_ULTRA, MARKER, ORIN_NANO, PIXEL_8, RASPBERRY_PI_5, RECORDED, answer

from edgeshrink.catalog.profiles import load_profile, load_profiles
from edgeshrink.core.device import ProbedDevice
from edgeshrink.devices.local import host_is, this_machine
from edgeshrink.devices.matching import best_profile, match
from edgeshrink.devices.probing.parse import parse


@pytest.fixture(autouse=True)
def no_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / name)
    monkeypatch.chdir(tmp_path)


def device(sections: dict[str, str]) -> ProbedDevice:
    return parse(answer(sections), MARKER, "ssh:device").device


@pytest.mark.parametrize(
    ("name", "profile_id"),
    [
        ("Jetson Orin Nano", "jetson-orin-nano-8gb"),
        ("Pixel 8", "pixel-8"),
        ("Galaxy S24 Ultra", "galaxy-s24-ultra"),
        ("Mac mini M4", "mac-mini-m4-16gb"),
    ],
)
def test_a_recorded_device_is_its_profiles(name: str, profile_id: str) -> None:
    found = best_profile(device(RECORDED[name]), load_profiles())
    assert found is not None
    profile, matched = found
    assert profile.id == profile_id
    assert matched.is_device and matched.differences == ()


@pytest.mark.parametrize("name", ["Jetson Nano", "Raspberry Pi 5"])
def test_a_device_that_no_profile_names_has_none(name: str) -> None:
    assert best_profile(device(RECORDED[name]), load_profiles()) is None


def test_the_profile_of_this_machine_is_this_machines_however_it_is_asked() -> None:
    board, profile = device(ORIN_NANO), this_machine()
    here = replace(board, address="local")
    assert host_is(profile) == match(here, profile)
    assert match(here, profile).is_device
    assert not match(board, profile).is_device and "another machine" in match(board, profile).why


def test_of_the_same_name_but_with_cores_switched_off() -> None:
    orin = replace(device(ORIN_NANO), cores=4)
    matched = match(orin, load_profile("jetson-orin-nano-8gb"))
    assert not matched.is_device
    assert "6 cores in the profile, 4 here" in matched.why
    assert matched.differences == ("cores: 4, the profile says 6",)
    found = best_profile(orin, load_profiles())
    assert found is not None and found[0].id == "jetson-orin-nano-8gb", "named, though it is not quite the device"


def test_everything_in_which_it_differs_is_said() -> None:
    odd = replace(device(PIXEL_8), cores=8, ram_bytes=4 * 2**30, page_bytes=16384, cpu_features=("asimd", "asimddp"))
    assert match(odd, load_profile("pixel-8")).differences == (
        "cores: 8, the profile says 9",
        "RAM: 4.0 GiB, the profile says 8.0 GiB",
        "pages: 16384 bytes, the profile says 4096",
        "CPU features: without asimdhp, i8mm, sve, sve2, which the profile names",
    )


def test_another_page_size_is_a_difference_and_the_same_device() -> None:
    matched = match(replace(device(PIXEL_8), page_bytes=16384), load_profile("pixel-8"))
    assert matched.is_device and matched.differences == ("pages: 16384 bytes, the profile says 4096",)


def test_an_emulated_device_says_so_first() -> None:
    emulated = device({**ORIN_NANO, "cmdline": "/usr/bin/qemu-aarch64-static^@sh^@"})
    assert match(emulated, load_profile("jetson-orin-nano-8gb")).differences[0] == "emulated CPU (qemu-user)"


def test_another_device_says_what_it_is() -> None:
    matched = match(device(GALAXY_S24_ULTRA), load_profile("pixel-8"))
    assert matched.why == "the device is SM-S928B, not Google Pixel 8"
    assert matched.differences[0] == "model: SM-S928B, the profile says Pixel 8"


def test_a_profile_without_a_model_is_no_devices() -> None:
    matched = match(device(RASPBERRY_PI_5), load_profile("laptop-4core-8gb"))
    assert not matched.is_device and "names no hardware model" in matched.why


def test_a_device_without_a_name_is_no_profiles() -> None:
    nameless = replace(device(ORIN_NANO), names=())
    assert best_profile(nameless, load_profiles()) is None
    assert "without a model name" in match(nameless, load_profile("pixel-8")).why


def test_what_a_device_does_not_show_is_no_difference() -> None:
    silent = replace(device(PIXEL_8), page_bytes=0, ram_bytes=0)
    assert match(silent, load_profile("pixel-8")).differences == ()
    assert not match(silent, load_profile("pixel-8")).is_device


def test_of_several_profiles_the_one_that_it_is() -> None:
    small = load_profile("jetson-orin-nano-8gb")
    other = small.model_copy(
        update={
            "id": "other",
            "facts": small.facts.model_copy(update={"cores": small.facts.cores.model_copy(update={"value": 4})}),
        }
    )
    for profiles in ((other, small), (small, other)):
        found = best_profile(device(ORIN_NANO), profiles)
        assert found is not None and found[0].id == small.id


def test_the_device_that_it_is_before_one_that_it_resembles_more() -> None:
    small = load_profile("jetson-orin-nano-8gb")
    odd = replace(device(ORIN_NANO), page_bytes=65536, cpu_features=("asimd",))
    like = {"ram_bytes": 4 * 2**30, "page_bytes": 65536, "isa_features": ("asimd",)}
    facts = {name: getattr(small.facts, name).model_copy(update={"value": value}) for name, value in like.items()}
    other = small.model_copy(update={"id": "other", "facts": small.facts.model_copy(update=facts)})
    assert len(match(odd, other).differences) < len(match(odd, small).differences)
    for profiles in ((other, small), (small, other)):
        found = best_profile(odd, profiles)
        assert found is not None and found[0].id == small.id


def test_a_larger_version_of_a_device_is_another_one() -> None:
    matched = match(replace(device(PIXEL_8), ram_bytes=12 * 2**30), load_profile("pixel-8"))
    assert not matched.is_device and "8.0 GiB in the profile, 12.0 GiB here" in matched.why


def test_this_machine_is_the_local_device_only() -> None:
    orin = device(ORIN_NANO)
    assert match(replace(orin, address="local"), this_machine()).is_device
    assert not match(orin, this_machine()).is_device
