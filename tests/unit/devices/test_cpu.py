"""The processor, as /proc and /sys of several machines show it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edgeshrink.devices import cpu

Plant = Callable[[Mapping[str, str]], Path]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' system files")

LAPTOP = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz
flags\t\t: fpu vme sse4_2 avx f16c rdrand fma bmi1 avx2 bmi2
"""
JETSON = """processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp uscat
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd42
"""


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", "Intel Core i5-8250U"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", "AMD Ryzen 7 7840U"),
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654"),
        ("Apple M2", "Apple M2"),
    ],
)
def test_a_name_loses_its_marketing(given: str, plain: str) -> None:
    assert cpu.plain_name(given) == plain


@linux
def test_an_x86_processor(plant: Plant) -> None:
    root = plant({"proc/cpuinfo": LAPTOP})
    assert cpu.cpu_name(root).value == "Intel Core i5-8250U"
    assert cpu.isa_features(root)[0] == ("avx", "avx2", "bmi2", "f16c", "fma")


@linux
def test_an_arm_processor_is_named_by_its_part(plant: Plant) -> None:
    root = plant({"proc/cpuinfo": JETSON})
    assert cpu.cpu_name(root).value == "Arm Cortex-A78AE"
    assert cpu.isa_features(root)[0] == ("asimd", "asimdhp", "asimddp")


@linux
def test_cores_of_two_kinds_are_both_named(plant: Plant) -> None:
    big = JETSON.replace("0xd42", "0xd0b")
    root = plant({"proc/cpuinfo": JETSON.replace("0xd42", "0xd05") + "\n" + big})
    assert cpu.cpu_name(root).value == "Arm Cortex-A55 + Cortex-A76"


@linux
def test_an_unknown_part_is_a_number_and_no_guess(plant: Plant) -> None:
    root = plant({"proc/cpuinfo": JETSON.replace("0x41", "0x66")})
    assert cpu.cpu_name(root).value == "implementer 0x66 part 0xd42"


@linux
def test_no_cpuinfo_is_no_feature_and_says_so(plant: Plant) -> None:
    features, source = cpu.isa_features(plant({}))
    assert features == ()
    assert source.startswith("not probed")


@linux
def test_a_module_names_itself_in_the_device_tree_beside_the_board(plant: Plant) -> None:
    root = plant(
        {
            "proc/device-tree/model": "NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0",
            "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0003\0nvidia,p3767-0003\0nvidia,tegra234\0",
        }
    )
    names, _ = cpu.hardware_names(root)
    assert names == (
        "NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        "nvidia,p3768-0000+p3767-0003",
        "nvidia,p3767-0003",
        "nvidia,tegra234",
    )


@linux
def test_a_laptop_names_itself_in_its_firmware(plant: Plant) -> None:
    assert cpu.hardware_names(plant({"sys/class/dmi/id/product_name": "20L5\n"}))[0] == ("20L5",)
    assert cpu.hardware_names(plant({"sys/class/dmi/id/product_name": "\n"}))[0] == ()


@linux
def test_the_last_level_cache_is_the_largest_that_holds_data(plant: Plant) -> None:
    cache = "sys/devices/system/cpu/cpu0/cache"
    root = plant(
        {
            f"{cache}/index0/size": "32K\n", f"{cache}/index0/type": "Data\n",
            f"{cache}/index1/size": "64M\n", f"{cache}/index1/type": "Instruction\n",
            f"{cache}/index2/size": "1024K\n", f"{cache}/index2/type": "Unified\n",
            f"{cache}/index3/size": "6M\n", f"{cache}/index3/type": "Unified\n",
        }
    )  # fmt: skip
    assert cpu.last_level_cache(root)[0] == 6 * 2**20
    assert cpu.last_level_cache(plant({}).parent / "nowhere")[0] is None


@linux
@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_a_containers_cpu_quota_counts(plant: Plant, files: dict[str, str], most: int | None) -> None:
    unlimited = cpu.usable_cpus(Path("/nowhere"))
    assert cpu.usable_cpus(plant(files)) == (most or unlimited)


def test_threads_are_never_more_than_the_machine_has() -> None:
    assert 1 <= cpu.default_threads() <= (os.cpu_count() or 1)


@linux
@pytest.mark.parametrize(("cores", "quota", "threads"), [(64, 2, 2), (4, 8, 4), (4, 4, 4)])
def test_threads_are_physical_cores_within_the_quota(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, cores: int, quota: int, threads: int
) -> None:
    monkeypatch.setattr(cpu.psutil, "cpu_count", lambda logical=True: cores if not logical else 2 * cores)
    monkeypatch.setattr(cpu.psutil.Process, "cpu_affinity", lambda self: list(range(128)))
    root = plant({"sys/fs/cgroup/cpu.max": f"{quota * 100000} 100000\n"})
    assert cpu.default_threads(root) == threads
