"""The AI pack as Play publishes its layout: ours passes, and everything that is not so is named."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_cargo import sample_cargo

from edgeshrink.bundle.android.bundler import BUNDLER
from edgeshrink.bundle.android.check_ai_pack import check_ai_pack
from edgeshrink.bundle.android.targeting import android_profiles, device_group, to_xml
from edgeshrink.bundle.cargo import Cargo
from edgeshrink.core.bundle import BundleOptions, Delivery
from edgeshrink.core.events import silent
from edgeshrink.errors import DataError

ASSETS = "src/main/assets"


@pytest.fixture
def cargo(tmp_path: Path) -> Cargo:
    return sample_cargo(tmp_path / "bundle", b"weights" * 100, kind="android", name="tiny-chat", main="model/t.gguf")


def written(cargo: Cargo, delivery: Delivery = "install-time") -> tuple[Path, Path]:
    BUNDLER.write(cargo, BundleOptions(parts=("ai-pack",), delivery=delivery), silent)
    folder = cargo.folder / "android" / "ai-pack"
    return folder / "tiny_chat", folder / "device_targeting_config.xml"


@pytest.mark.parametrize("delivery", ["install-time", "fast-follow", "on-demand"])
def test_the_pack_is_called_as_its_folders_and_holds_every_file(cargo: Cargo, delivery: Delivery) -> None:
    pack, config = written(cargo, delivery)
    check_ai_pack(pack, config)
    assert f'deliveryType = "{delivery}"' in (pack / "build.gradle.kts").read_text()
    (top,) = (pack / ASSETS).iterdir()
    assert top.name == "tiny_chat#group_tiny_chat_devices"
    assert {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()} == set(cargo.files)


def script(pack: Path, old: str, new: str) -> None:
    path = pack / "build.gradle.kts"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def put(path: Path, nbytes: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, nbytes)


def group_folder(pack: Path) -> Path:
    return next((pack / ASSETS).iterdir())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: (p / "build.gradle.kts").unlink(), "no build.gradle"),
        (lambda p: script(p, "com.android.ai-pack", "com.android.library"), "does not apply com.android.ai-pack"),
        (lambda p: script(p, 'id("', '// id("'), "does not apply com.android.ai-pack"),
        (lambda p: script(p, '"tiny_chat"', '"tiny"'), "packName is tiny"),
        (lambda p: script(p, "install-time", "later"), "deliveryType is later"),
        (lambda p: put(p / "src/main/jniLibs/arm64-v8a/libx.so"), "is code"),
        (lambda p: put(p / "src/main/java/X.java"), "is code"),
        (lambda p: put(p / ASSETS / "models" / "x.gguf"), "not named after the pack"),
        (lambda p: put(p / ASSETS / "x.gguf"), "not named after the pack"),
        (lambda p: put(p / ASSETS / "tiny_chat#group_none" / "x"), "a device group that is not defined"),
        (lambda p: put(p / ASSETS / "tiny_chat#tier_1" / "x"), "a suffix other than #group_NAME"),
        (lambda p: put(group_folder(p) / "in#side" / "x"), "has a # below it"),
        (lambda p: put(group_folder(p) / "model" / "big", 1_500_000_001), "Play takes 1500000000"),
        (lambda p: (p / ASSETS / "tiny_chat").symlink_to("/tmp"), "is a link"),
    ],
)
def test_a_pack_that_play_would_refuse_is_named(cargo: Cargo, spoil: Callable[[Path], object], said: str) -> None:
    pack, config = written(cargo)
    spoil(pack)
    with pytest.raises(DataError, match="no AI pack that Play takes") as refused:
        check_ai_pack(pack, config)
    assert said in refused.value.message


def test_an_empty_pack_and_one_of_another_name_are_refused(cargo: Cargo, tmp_path: Path) -> None:
    pack, config = written(cargo)
    for name in ("2chat", "tiny-chat"):
        with pytest.raises(DataError, match="begins with a letter"):
            check_ai_pack(pack.rename(tmp_path / name), config)
        (tmp_path / name).rename(pack)
    for path in [path for path in (pack / ASSETS).rglob("*") if path.is_file()]:
        path.unlink()
    with pytest.raises(DataError, match="no file in src/main/assets"):
        check_ai_pack(pack, config)


SPACE = 'xmlns:config="http://schemas.android.com/apk/config"'
RAM = '<config:device-selector ram-min-bytes="1"/>'


def grouped(inside: str, name: str = "tiny_chat_devices") -> str:
    return (
        f"<config:device-targeting-config {SPACE}><config:device-group name='{name}'>{inside}</config:device-group>"
        "</config:device-targeting-config>"
    )


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<a", "is no XML"),
        (f"<!DOCTYPE x [<!ENTITY a 'b'>]>{grouped(RAM)}", "declares a document type"),
        (grouped(RAM).replace("apk/config", "apk/res"), "another namespace"),
        (grouped(RAM, "other"), "no name for a group"),
        (grouped(RAM, "a-b"), "no name for a group"),
        (grouped(""), "0 selectors"),
        (grouped(RAM * 6), "6 selectors"),
        (grouped("<config:device-selector/>"), "no property"),
        (grouped('<config:device-selector ram-min="1"/>'), "has ram-min"),
        (grouped('<config:device-selector ram-min-bytes="6GB"/>'), "no sound RAM bounds"),
        (grouped('<config:device-selector ram-min-bytes="2" ram-max-bytes="2"/>'), "no sound RAM bounds"),
        (
            grouped('<config:device-selector><config:system-on-chip manufacturer="QTI"/></config:device-selector>'),
            "system-on-chip of group",
        ),
        (grouped("<config:device-selector><config:gpu/></config:device-selector>"), "gpu"),
        (grouped(RAM).replace("device-group ", "group ").replace("/config:device-group", "/config:group"), "belongs"),
    ],
)
def test_device_groups_that_play_would_refuse_are_named(cargo: Cargo, xml: str, said: str) -> None:
    pack, config = written(cargo)
    config.write_text(xml)
    with pytest.raises(DataError) as refused:
        check_ai_pack(pack, config)
    assert said in refused.value.message


def test_the_published_example_of_all_properties_is_sound(cargo: Cargo) -> None:
    pack, config = written(cargo)
    rows = [
        '<config:included-device-id brand="google" device="redfin"/>',
        '<config:included-device-id brand="good-brand"/>',
        '<config:excluded-device-id brand="google" device="caiman"/>',
        '<config:required-system-feature name="android.hardware.bluetooth"/>',
        '<config:forbidden-system-feature name="android.hardware.camera"/>',
        '<config:system-on-chip manufacturer="Sinclair" model="ZX80"/>',
    ]
    config.write_text(
        grouped(f'<config:device-selector ram-min-bytes="8000000000">{"".join(rows)}</config:device-selector>')
    )
    check_ai_pack(pack, config)


def test_more_memory_asks_for_phones_with_more_ram(cargo: Cargo) -> None:
    plan = dataclasses.replace(cargo.manifest.plan, profile="pixel-8")
    small = dataclasses.replace(cargo.manifest, plan=plan, memory_bytes=1 << 30)
    large = dataclasses.replace(small, memory_bytes=3 << 30)
    least = [device_group("g", manifest).selectors[-1].ram_bytes for manifest in (small, large)]
    # A Pixel 8 gives an app 3.5 of its 8 GiB, and reports about 0.9 of them.
    assert least[0] == pytest.approx(0.85 * 8 / 3.5 * (1 << 30), rel=0.01)
    assert least[1] == pytest.approx(3 * least[0], rel=0.01)
    chips = [{one.model for one in device_group("g", m).selectors if one.model} for m in (small, large)]
    assert chips == [{"SM8650", "SM6225", "Tensor G3"}, {"SM8650", "Tensor G3"}]


def test_an_unknown_profile_is_taken_at_the_smallest_share(cargo: Cargo) -> None:
    unknown = dataclasses.replace(cargo.manifest, plan=dataclasses.replace(cargo.manifest.plan, profile="mine"))
    share = max(p.facts.ram_bytes.value / p.facts.app_ram_bytes.value for p in android_profiles())
    assert device_group("g", unknown).selectors[-1].ram_bytes == pytest.approx(0.85 * share * (64 << 20), rel=0.01)


def test_profiles_of_the_current_folder_change_nothing(
    cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = to_xml(device_group("g", cargo.manifest))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "pixel-8.toml").write_text("broken")
    monkeypatch.chdir(tmp_path)
    android_profiles.cache_clear()
    assert to_xml(device_group("g", cargo.manifest)) == before
