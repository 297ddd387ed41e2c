"""Which instructions a runner is built for."""

from __future__ import annotations

import platform as host
import sys

import pytest

from edgeshrink.errors import DeviceError, UsageError
from edgeshrink.toolchain.runner.platform import NATIVE, platform, platform_for

from .planted_llama import a_device

X86_V3 = ("avx", "avx2", "bmi2", "f16c", "fma")
DOTPROD = ("asimd", "asimdhp", "asimddp")


@pytest.mark.parametrize(
    ("machine", "features", "level"),
    [
        ("aarch64", ("asimd",), "arm64"),
        ("aarch64", (), "arm64"),
        ("aarch64", DOTPROD, "arm64-dotprod"),
        ("aarch64", (*DOTPROD, "i8mm", "bf16", "sve"), "arm64-i8mm"),
        ("aarch64", ("asimd", "asimddp"), "arm64"),  # dot products without half floats: neither level in full
        ("aarch64", ("asimd", "i8mm"), "arm64"),
        ("arm64", DOTPROD, "arm64-dotprod"),
        ("x86_64", (), "x86-64"),
        ("x86_64", ("avx",), "x86-64-v2"),
        ("x86_64", X86_V3, "x86-64-v3"),
        ("AMD64", (*X86_V3, "avx512f"), "x86-64-v3"),
        ("x86_64", (*X86_V3, "avx512f", "avx512bw", "avx512vl"), "x86-64-v4"),
    ],
)
def test_the_richest_level_that_the_device_has_in_full(machine: str, features: tuple[str, ...], level: str) -> None:
    chosen = platform_for(a_device(machine=machine, cpu_features=features))
    assert chosen.level == level
    assert chosen.key == f"linux-{level}"
    assert set(chosen.required) <= {*features, "sse4_2"}


def test_a_phone_and_a_board_of_one_cpu_differ_by_system_only() -> None:
    phone, board = (platform_for(a_device(system=system)) for system in ("android", "linux"))
    assert (phone.isa, phone.required) == (board.isa, board.required)
    assert (phone.key, board.key) == ("android-arm64-dotprod", "linux-arm64-dotprod")


@pytest.mark.parametrize("machine", ["armv7l", "armv8l", "riscv64", "i686", ""])
def test_other_machines_are_refused_by_name(machine: str) -> None:
    with pytest.raises(DeviceError) as error:
        platform_for(a_device(machine=machine))
    assert "ssh:me@jetson" in error.value.message and machine in error.value.message
    assert "64-bit" in error.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="no native runner there")
def test_this_machine_is_native_whatever_its_features() -> None:
    chosen = platform_for(a_device(address="local", machine=host.machine(), cpu_features=()))
    assert chosen == platform("native")
    assert (chosen.isa, chosen.required) == (NATIVE, ())


@pytest.mark.parametrize(
    ("name", "key", "isa"),
    [
        ("arm64", "linux-arm64", "armv8-a"),
        ("arm64-dotprod", "linux-arm64-dotprod", "armv8.2-a+dotprod+fp16"),
        ("arm64-i8mm", "linux-arm64-i8mm", "armv8.2-a+dotprod+fp16+i8mm"),
        ("android-arm64-i8mm", "android-arm64-i8mm", "armv8.2-a+dotprod+fp16+i8mm"),
        ("macos-arm64", "darwin-arm64", "armv8-a"),
        ("x86-64-v3", "linux-x86-64-v3", "x86-64-v3"),
    ],
)
def test_short_names(name: str, key: str, isa: str) -> None:
    assert (platform(name).key, platform(name).isa) == (key, isa)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as error:
        platform("arm64-sve")
    assert "arm64-dotprod" in error.value.hint and "native" in error.value.hint


def test_the_runner_looks_for_more_where_more_is_compiled_in() -> None:
    levels = [platform(name).checked for name in ("arm64", "arm64-dotprod", "arm64-i8mm")]
    assert levels[0] == ()
    assert set(levels[0]) < set(levels[1]) < set(levels[2])
