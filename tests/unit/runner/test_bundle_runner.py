"""Which runner goes into a bundle: what the profile's facts allow; what works here alone is said."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from built_runners import ready_runner

from edgeshrink.catalog.profiles import load_profile
from edgeshrink.core.bundle import BundleKind
from edgeshrink.core.events import NOTICE, Listener, Progress, silent
from edgeshrink.engine import bundle_runner
from edgeshrink.engine.bundle_runner import runner_for_bundle
from edgeshrink.errors import DataError, ToolMissing, UsageError
from edgeshrink.toolchain.elf import MACHINES, read_elf
from edgeshrink.toolchain.runner.build import BuiltRunner
from edgeshrink.toolchain.runner.platform import RunnerPlatform, native_platform

Builds = Callable[..., list[RunnerPlatform]]


def write_elf(path: Path, machine: str, page_bytes: int) -> Path:
    """The headers of a static program with one segment, and nothing else."""
    (number,) = (key for key, name in MACHINES.items() if name == machine)
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<H", head, 18, number)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, 1)
    path.write_bytes(bytes(head) + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 0, page_bytes))
    return path


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Builds:
    """Nothing is compiled: what was asked for is noted, and a file of that kind is there."""

    def plan(page_bytes: int = 65536, missing: tuple[str, ...] = ()) -> list[RunnerPlatform]:
        asked: list[RunnerPlatform] = []

        def build(platform: RunnerPlatform, folder: Path, *, listener: Listener) -> BuiltRunner:
            asked.append(platform)
            if platform.isa in missing:
                raise ToolMissing("no compiler here", hint="install one")
            file = write_elf(tmp_path / platform.key, platform.machine, page_bytes)
            return BuiltRunner(file, "0.3.36+0123456789ab", "gnu 12.2.0", platform)

        monkeypatch.setattr(bundle_runner, "build_runner", build)
        return asked

    return plan


@pytest.mark.parametrize(
    ("kind", "profile", "key"),
    [
        ("jetson", "jetson-orin-nano-8gb", "linux-arm64-dotprod"),
        ("android", "pixel-8", "android-arm64-i8mm"),
        ("android", "moto-g-play-2024", "android-arm64"),
        ("laptop", "laptop-4core-8gb", "linux-x86-64-v3"),
        ("laptop", "laptop-avx512-16gb", "linux-x86-64-v4"),
        ("laptop", "mac-mini-m4-16gb", "darwin-arm64-i8mm"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="a laptop's runner is for this machine's system")
def test_the_platform_follows_from_the_profile(builds: Builds, kind: BundleKind, profile: str, key: str) -> None:
    asked = builds()
    built = runner_for_bundle(kind, load_profile(profile), listener=silent)
    assert [platform.key for platform in asked] == [key]
    assert (built.platform.key, built.llama) == (key, "0.3.36")


def test_a_static_file_on_android_is_said(builds: Builds) -> None:
    builds()
    said: list[Progress] = []
    runner_for_bundle("android", load_profile("pixel-8"), listener=said.append)
    (one,) = said
    assert one.unit == NOTICE and "ANDROID_NDK_HOME" in one.task


def test_segments_that_a_phone_cannot_map_are_refused(builds: Builds) -> None:
    builds(page_bytes=4096)
    with pytest.raises(DataError, match="aligned to 4096 bytes"):
        runner_for_bundle("android", load_profile("pixel-8"), listener=silent)


def test_a_laptop_without_a_compiler_for_static_files_gets_this_machine_s_own(builds: Builds) -> None:
    own = native_platform()
    profile = load_profile("laptop-4core-8gb")
    if own.machine != "x86_64":
        pytest.skip("this machine is not what the profile describes")
    asked = builds(missing=("x86-64-v3",))
    said: list[Progress] = []
    built = runner_for_bundle("laptop", profile, listener=said.append)
    assert built.platform == own and len(asked) == 2
    (one,) = said
    assert "works on this machine only" in one.task and "install one" in one.task


def test_a_jetson_s_compiler_that_is_missing_is_said(builds: Builds) -> None:
    builds(missing=("armv8.2-a+dotprod+fp16",))
    with pytest.raises(ToolMissing):
        runner_for_bundle("jetson", load_profile("jetson-orin-nano-8gb"), listener=silent)


def test_there_is_none_for_ios(builds: Builds) -> None:
    asked = builds()
    with pytest.raises(UsageError, match="no runner for iOS"):
        runner_for_bundle("ios", load_profile("iphone-15-pro"), listener=silent)
    assert not asked


def test_the_real_one_for_a_jetson_is_static_and_for_large_pages() -> None:
    ready = ready_runner("arm64-dotprod")
    built = runner_for_bundle("jetson", load_profile("jetson-orin-nano-8gb"), listener=silent)
    assert built.path == ready.path
    headers = read_elf(built.path)
    assert (headers.machine, headers.static) == ("aarch64", True)
    assert headers.page_bytes >= 16384
