"""A profile drafted from a probe is one that can be loaded, and is recognised again."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_devices import JETSON_NANO, MARKER, ORIN_NANO, PIXEL_8, RECORDED, answer

from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.device import ProbedDevice
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.devices.draft import draft_profile, profile_id
from edgeshrink.devices.matching import match
from edgeshrink.devices.probing.parse import parse
from edgeshrink.errors import DeviceError


@pytest.fixture(autouse=True)
def no_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_config_path", lambda name, appauthor=None: tmp_path / name)
    monkeypatch.chdir(tmp_path)


def device(sections: dict[str, str]) -> ProbedDevice:
    return parse(answer(sections), MARKER, "ssh:me@device").device


def drafted(device: ProbedDevice, bandwidth: float | None = None) -> DeviceProfile:
    """Written where one's own profiles are looked for, and read back by id."""
    file = Path("profiles") / f"{profile_id(device)}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(draft_profile(device, bandwidth), encoding="utf-8")
    return load_profile(profile_id(device))


@pytest.mark.parametrize("bandwidth", [None, 3.4e10])
@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_draft_of_a_recorded_device_is_loaded_and_recognised(name: str, bandwidth: float | None) -> None:
    probed = device(RECORDED[name])
    profile = drafted(probed, bandwidth)
    matched = match(probed, profile)
    assert matched.is_device and matched.differences == ()
    assert load_target(profile.preferred_target).id == profile.preferred_target
    rate = profile.facts.memory_bandwidth_bytes_s
    assert (rate.value if rate else None) == bandwidth


def test_every_fact_says_where_it_was_read() -> None:
    facts = drafted(device(PIXEL_8), 3e10).facts
    sources = {name: fact.source for name in type(facts).model_fields if (fact := getattr(facts, name)) is not None}
    assert all(source.startswith(("probed: ", "not probed: ", "derived: ")) for source in sources.values())
    assert sources["cores"] == "probed: system properties, over ssh", "how it was reached, and not as whom"
    assert "me@device" not in draft_profile(device(PIXEL_8), None)


def test_ids_name_the_device_and_its_size() -> None:
    assert profile_id(device(PIXEL_8)) == "google-pixel-8-8gb"
    assert profile_id(device(JETSON_NANO)) == "nvidia-jetson-nano-developer-kit-4gb"
    assert profile_id(replace(device(PIXEL_8), names=(), cpu="???")).startswith("device-")
    assert profile_id(replace(device(PIXEL_8), names=("Ünïcode ☃ Phone",))) == "n-code-phone-8gb"


def test_families_have_their_targets() -> None:
    expected = {
        "Jetson Orin Nano": "jetson", "Jetson Nano": "jetson", "Raspberry Pi 5": "laptop-cpu", "Pixel 8": "android",
        "Galaxy S24 Ultra": "android", "Mac mini M4": "apple-silicon",
    }  # fmt: skip
    assert {name: drafted(device(RECORDED[name])).preferred_target for name in RECORDED} == expected


def test_a_jetson_is_known_by_its_module() -> None:
    names = drafted(device(ORIN_NANO)).facts.hardware_model
    assert names is not None and names.value == ("nvidia,p3767-0005",)


def test_big_and_little_cores() -> None:
    assert drafted(device(PIXEL_8)).facts.performance_cores.value == 5  # type: ignore[union-attr]
    assert drafted(device(RECORDED["Galaxy S24 Ultra"])).facts.performance_cores.value == 6  # type: ignore[union-attr]
    assert drafted(device(RECORDED["Mac mini M4"])).facts.performance_cores.value == 4  # type: ignore[union-attr]
    assert drafted(device(ORIN_NANO)).facts.performance_cores is None


def test_the_budget_is_within_the_ram_and_the_bandwidth() -> None:
    for sections in RECORDED.values():
        probed = device(sections)
        slow, fast = (drafted(probed, rate) for rate in (2e9, 5e11))
        budget, app = slow.budget, int(slow.facts.app_ram_bytes.value)
        assert budget.artifact_bytes_max is not None and budget.peak_rss_bytes_max is not None
        assert budget.artifact_bytes_max < budget.peak_rss_bytes_max < app < 0.7 * probed.ram_bytes
        assert budget.decode_tok_s_min is not None and fast.budget.decode_tok_s_min == 10
        assert budget.decode_tok_s_min <= max(0.5, 2e9 / budget.artifact_bytes_max)
        assert budget.energy_mj_per_token_max is None, "nothing was measured to derive it from"


@pytest.mark.parametrize(
    ("ram_gib", "artifact", "peak"),
    [(31.07, "10GiB", "13.5GiB"), (7.4, "2GiB", "2.75GiB"), (3.6, "992MiB", "1.25GiB"), (0.25, "69MiB", "96MiB")],
)
def test_limits_are_written_as_a_person_would(ram_gib: float, artifact: str, peak: str) -> None:
    probed = replace(device(RECORDED["Raspberry Pi 5"] if ram_gib > 8 else PIXEL_8), ram_bytes=int(ram_gib * 2**30))
    budget = tomllib.loads(draft_profile(probed, 1e10))["budget"]
    assert (budget["artifact_bytes_max"], budget["peak_rss_bytes_max"]) == (artifact, peak)
    assert drafted(probed).budget.peak_rss_bytes_max is not None


def test_what_is_emulated_is_said_in_the_draft() -> None:
    text = draft_profile(device({**ORIN_NANO, "cmdline": "/usr/bin/qemu-aarch64-static^@sh^@"}), None)
    assert text.startswith("# ") and "emulated CPU (qemu-user)" in text.splitlines()[0]


@pytest.mark.parametrize("shown", ["cores", "RAM"])
def test_without_its_cores_or_its_ram_no_draft(shown: str) -> None:
    probed = replace(device(PIXEL_8), **{"cores": 0} if shown == "cores" else {"ram_bytes": 0})
    with pytest.raises(DeviceError, match=f"does not show its {shown}"):
        draft_profile(probed, None)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60)
    | st.sampled_from(['"""', "'\n[budget]\nx=1", "\\u0000", "\x7f", "a*b?[c]", "#", "\\", "]\r\n"])
)
def test_whatever_it_calls_itself(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    probed = replace(device(PIXEL_8), names=(name, name), cpu=name, gpus=(name,))
    text = draft_profile(probed, 1e10)
    assert set(tomllib.loads(text)) == {"id", "name", "family", "preferred_target", "facts", "budget"}
    file = tmp_path_factory.getbasetemp() / "drafted.toml"
    file.write_text(text, encoding="utf-8")
    profile = read_toml(file, DeviceProfile)
    assert profile.id == profile_id(probed)
    # Names come from the probe without what `plain` takes away; those are recognised again.
    if profile.facts.hardware_model and name == probed.names[0] and name.isprintable():
        assert match(probed, profile).is_device
