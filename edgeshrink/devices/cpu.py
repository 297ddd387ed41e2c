"""The processor: its name, cores, instruction set and caches, and where each was read."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgeshrink.devices.system import ROOT, read_int, read_text, sysctl

X86_FEATURES = (
    "avx", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vbmi", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "bmi2", "f16c", "fma",
)  # fmt: skip
ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "sme", "sme2")
# ARM's feature names as macOS spells them -> as Linux does (hwcap names in arch/arm64/kernel/cpuinfo.c).
APPLE_FEATURES = {
    "AdvSIMD": "asimd", "FEAT_FP16": "asimdhp", "FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16",
    "FEAT_SME": "sme", "FEAT_SME2": "sme2",
}  # fmt: skip
# IsProcessorFeaturePresent's numbers (winnt.h, PF_*).
WINDOWS_FEATURES = {39: "avx", 40: "avx2", 41: "avx512f", 43: "asimddp"}
# MIDR implementer 0x41 (Arm): part number -> core (Arm's technical reference manuals, register MIDR_EL1).
ARM_PARTS = {
    0xD03: "Cortex-A53", 0xD05: "Cortex-A55", 0xD07: "Cortex-A57", 0xD08: "Cortex-A72", 0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1", 0xD40: "Neoverse-V1", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE", 0xD49: "Neoverse-N2",
    0xD4F: "Neoverse-V2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A probed value and where it was read, or what could not be read."""

    value: str
    source: str


def cpu_name(root: Path = ROOT) -> Found:
    """The processor as it names itself, marketing marks taken off ("Intel Core i5-8250U")."""
    if sys.platform == "darwin":
        name = sysctl("machdep.cpu.brand_string") or platform.machine()
        return Found(name, "probed: sysctl machdep.cpu.brand_string")
    text = read_text(root / "proc/cpuinfo")
    if name := _first(text, "model name"):
        return Found(plain_name(name), "probed: /proc/cpuinfo, model name")
    if parts := sorted(set(re.findall(r"^CPU part\s*:\s*(0x[0-9a-f]+)", text, re.MULTILINE))):
        arm = _first(text, "CPU implementer") == "0x41"
        names = [ARM_PARTS.get(int(part, 16), f"part {part}") if arm else f"part {part}" for part in parts]
        maker = "Arm " if arm else f"implementer {_first(text, 'CPU implementer')} "
        return Found(maker + " + ".join(names), "probed: /proc/cpuinfo, CPU implementer and part")
    return Found(platform.processor() or platform.machine() or "unknown", "probed: Python's platform.processor()")


def plain_name(name: str) -> str:
    """`Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz` -> `Intel Core i5-8250U`."""
    name = re.sub(r"\((R|TM|C)\)", "", name, flags=re.IGNORECASE)
    name = re.sub(r"\s*@.*$|\bCPU\b|\b\d+-Core Processor\b|\bw/ .*$|\bwith Radeon.*$", "", name)
    return " ".join(name.split())


def hardware_names(root: Path = ROOT) -> tuple[tuple[str, ...], str]:
    """How the whole device names itself, and where that was read; none where it does not.

    A device tree's `compatible` names the module; its `model` may name only the carrier board it sits on.
    """
    if sys.platform == "darwin":
        return tuple(filter(None, [sysctl("hw.model")])), "probed: sysctl hw.model"
    tree = root / "proc/device-tree"
    names = [read_text(tree / "model"), *read_text(tree / "compatible").split("\0")]
    if found := tuple(dict.fromkeys(filter(None, names))):
        return found, "probed: /proc/device-tree, model and compatible"
    if product := read_text(root / "sys/class/dmi/id/product_name"):
        return (product,), "probed: /sys/class/dmi/id/product_name"
    return (), "not probed: this system shows no hardware model"


def isa_features(root: Path = ROOT) -> tuple[tuple[str, ...], str]:
    """The features that decide which kernels run, spelled as /proc/cpuinfo does, and where they were read."""
    if sys.platform == "darwin":
        return _apple_features()
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        found = tuple(name for number, name in WINDOWS_FEATURES.items() if present(number))
        return found, "probed: Windows' IsProcessorFeaturePresent"
    text = read_text(root / "proc/cpuinfo")
    flags = set((_first(text, "flags") or _first(text, "Features")).split())
    if not flags:
        return (), "not probed: this system has no /proc/cpuinfo flags"
    return tuple(name for name in (*X86_FEATURES, *ARM_FEATURES) if name in flags), "probed: /proc/cpuinfo, flags"


def last_level_cache(root: Path = ROOT) -> tuple[int | None, str]:
    """Bytes of the largest cache that core 0 reaches, and where that was read; None where no system file says so."""
    if sys.platform == "darwin":
        for name in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize"):
            if (text := sysctl(name)).isdigit() and int(text):
                return int(text), f"probed: sysctl {name}"
        return None, "not probed: sysctl names no cache size"
    sizes = {}
    for folder in sorted((root / "sys/devices/system/cpu/cpu0/cache").glob("index*")):
        match = re.fullmatch(r"(\d+)([KM]?)", read_text(folder / "size"))
        if match and read_text(folder / "type") != "Instruction":
            sizes[folder.name] = int(match[1]) * {"": 1, "K": 1024, "M": 1024**2}[match[2]]
    if not sizes:
        return None, "not probed: no cache folder under /sys/devices/system/cpu/cpu0"
    largest = max(sizes, key=lambda name: sizes[name])
    return sizes[largest], f"probed: /sys/devices/system/cpu/cpu0/cache/{largest}/size"


def physical_cores() -> int:
    """Cores, not hardware threads; where the system does not tell them apart, the threads."""
    return psutil.cpu_count(logical=False) or os.cpu_count() or 1


def performance_cores() -> int | None:
    """Cores of the fast kind on a Mac; None elsewhere."""
    text = sysctl("hw.perflevel0.physicalcpu") if sys.platform == "darwin" else ""
    return int(text) if text.isdigit() else None


def usable_cpus(root: Path = ROOT) -> int:
    """Hardware threads this process may use: its affinity, and the CPU quota of its container."""
    try:
        allowed = len(psutil.Process().cpu_affinity())
    except (AttributeError, psutil.Error):
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _quota(root) or allowed))


def default_threads(root: Path = ROOT) -> int:
    """Physical cores, or fewer where this process may not use them all: SMT siblings slow llama.cpp down."""
    return max(1, min(physical_cores(), usable_cpus(root)))


def _quota(root: Path) -> int | None:
    quota, period = [*read_text(root / "sys/fs/cgroup/cpu.max").split(), "", ""][:2]
    if not quota:
        quota = read_text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = str(read_int(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us") or "")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return -(-int(quota) // int(period))


def _apple_features() -> tuple[tuple[str, ...], str]:
    found = tuple(linux for apple, linux in APPLE_FEATURES.items() if sysctl(f"hw.optional.arm.{apple}") == "1")
    if found:
        return found, "probed: sysctl hw.optional.arm"
    words = set(f"{sysctl('machdep.cpu.features')} {sysctl('machdep.cpu.leaf7_features')}".lower().split())
    renamed = {"avx1.0": "avx"}
    flags = {renamed.get(word, word) for word in words}
    return tuple(name for name in X86_FEATURES if name in flags), "probed: sysctl machdep.cpu.features"


def _first(text: str, key: str) -> str:
    match = re.search(rf"^{re.escape(key)}\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""
