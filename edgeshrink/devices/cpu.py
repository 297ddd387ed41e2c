"""The processor: its name, cores, instruction set and caches, and where each was read."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from edgeshrink.core.device import ProbedDevice
from edgeshrink.devices.system import ROOT, read_int, read_text, sysctl

X86_FEATURES = (
    "avx", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "bmi2", "f16c", "fma",
)  # fmt: skip
ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "sme", "sme2")
# Bits of AT_HWCAP (16) and AT_HWCAP2 (26) in the auxiliary vector (arch/arm64/include/uapi/asm/hwcap.h).
ARM_HWCAPS = {
    "asimd": (16, 1), "asimdhp": (16, 10), "asimddp": (16, 20), "sve": (16, 22), "sve2": (26, 1), "svei8mm": (26, 9),
    "i8mm": (26, 13), "bf16": (26, 14), "sme": (26, 23), "sme2": (26, 37),
}  # fmt: skip
# ARM's feature names as macOS spells them -> as Linux does (hwcap names in arch/arm64/kernel/cpuinfo.c).
APPLE_FEATURES = {
    "AdvSIMD": "asimd", "FEAT_FP16": "asimdhp", "FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16",
    "FEAT_SME": "sme", "FEAT_SME2": "sme2",
}  # fmt: skip
# IsProcessorFeaturePresent's numbers (winnt.h, PF_*).
WINDOWS_FEATURES = {39: "avx", 40: "avx2", 41: "avx512f", 43: "asimddp"}
# MIDR implementer 0x41 (Arm): part number -> core (Arm's technical reference manuals, register MIDR_EL1).
ARM_PARTS = {
    0xD02: "Cortex-A34", 0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD06: "Cortex-A65",
    0xD07: "Cortex-A57", 0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77", 0xD0E: "Cortex-A76AE", 0xD40: "Neoverse-V1", 0xD41: "Cortex-A78",
    0xD42: "Cortex-A78AE", 0xD43: "Cortex-A65AE", 0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710",
    0xD48: "Cortex-X2", 0xD49: "Neoverse-N2", 0xD4A: "Neoverse-E1", 0xD4B: "Cortex-A78C", 0xD4C: "Cortex-X1C",
    0xD4D: "Cortex-A715", 0xD4E: "Cortex-X3", 0xD4F: "Neoverse-V2", 0xD80: "Cortex-A520", 0xD81: "Cortex-A720",
    0xD82: "Cortex-X4", 0xD84: "Neoverse-V3", 0xD85: "Cortex-X925", 0xD87: "Cortex-A725", 0xD8E: "Neoverse-N3",
}  # fmt: skip
# Other implementers' numbers, as util-linux' lscpu knows them too.
MAKERS = {0x41: "Arm", 0x4E: "NVIDIA", 0x51: "Qualcomm", 0x53: "Samsung", 0x61: "Apple", 0xC0: "Ampere"}
OTHER_PARTS = {
    (0x4E, 0x003): "Denver 2", (0x4E, 0x004): "Carmel",
    (0x51, 0x001): "Oryon", (0x51, 0x800): "Kryo 2xx Gold", (0x51, 0x801): "Kryo 2xx Silver",
    (0x51, 0x802): "Kryo 3xx Gold", (0x51, 0x803): "Kryo 3xx Silver", (0x51, 0x804): "Kryo 4xx Gold",
    (0x51, 0x805): "Kryo 4xx Silver", (0xC0, 0xAC3): "Ampere-1", (0xC0, 0xAC4): "Ampere-1a",
}  # fmt: skip
# Cores by kind, where a big.LITTLE chip has several: small ones, and those beside which even a big one is slow.
_SMALL = re.compile(r"Cortex-A(34|35|53|55|65|510|520)$|Kryo \dxx Silver$| efficiency core$")
_PRIME = re.compile(r"Cortex-X\w+$")
_MOST_CPUS = 8192
_PER_CORE = {"processor", "model name", "physical id", "core id", "CPU implementer", "CPU part", "cpu MHz"}
# What a board's maker left in place of its name.
NO_NAMES = {"", "system product name", "to be filled by o.e.m.", "default string", "not specified", "none", "undefined"}


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
    if name := name_in(text):
        return Found(name, f"probed: /proc/cpuinfo, {'CPU implementer and part' if part_names(text) else 'model name'}")
    return Found(platform.processor() or platform.machine() or "unknown", "probed: Python's platform.processor()")


def name_in(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo: by its parts on ARM, else its model name; "" for none."""
    if parts := part_names(cpuinfo):
        makers = list(dict.fromkeys(maker for maker, _ in parts))
        return " + ".join(f"{maker} " + " + ".join(core for by, core in parts if by == maker) for maker in makers)
    return plain_name(_first(cpuinfo, "model name"))


def part_names(cpuinfo: str) -> tuple[tuple[str, str], ...]:
    """(maker, core) of each kind of ARM core, in the order of their part numbers; empty on other processors."""
    numbers = {number for core in cores_in(cpuinfo) if (number := part_number(core)) is not None}
    return tuple(part_name(*number) for number in sorted(numbers))


def cores_in(cpuinfo: str) -> tuple[dict[str, str], ...]:
    """What /proc/cpuinfo says of each hardware thread, by key. Old ARM kernels say some of it once, for all of them."""
    found: list[dict[str, str]] = []
    once: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if colon and key == "processor" and value.isdigit():
            found.append({})
        (found[-1] if found and key in _PER_CORE else once)[key] = value
    return tuple({**{key: once[key] for key in _PER_CORE if key in once}, **core} for core in found)


def part_number(core: dict[str, str]) -> tuple[int, int] | None:
    """(implementer, part) of an ARM core; None on other processors."""
    texts = core.get("CPU implementer", ""), core.get("CPU part", "")
    if all(re.fullmatch(r"0x[0-9a-fA-F]{1,4}", text) for text in texts):
        return int(texts[0], 16), int(texts[1], 16)
    return None


def part_name(implementer: int, part: int) -> tuple[str, str]:
    """(0x41, 0xD42) -> ("Arm", "Cortex-A78AE")."""
    maker = MAKERS.get(implementer, f"implementer 0x{implementer:02x}")
    core = ARM_PARTS.get(part) if implementer == 0x41 else OTHER_PARTS.get((implementer, part))
    return maker, core or f"part 0x{part:03x}"


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
    if found := tree_names(read_text(tree / "model"), read_text(tree / "compatible").split("\0")):
        return found, "probed: /proc/device-tree, model and compatible"
    if found := product_names(read_text(root / "sys/class/dmi/id/product_name")):
        return found, "probed: /sys/class/dmi/id/product_name"
    return (), "not probed: this system shows no hardware model"


def tree_names(model: str, compatible: Sequence[str]) -> tuple[str, ...]:
    """A device tree's names for the device, each once."""
    return tuple(dict.fromkeys(filter(None, (model, *compatible))))


def product_names(product: str) -> tuple[str, ...]:
    """The DMI product name, unless the board's maker left it blank."""
    return () if product.lower() in NO_NAMES else (product,)


def isa_features(root: Path = ROOT) -> tuple[tuple[str, ...], str]:
    """The features that decide which kernels run, spelled as /proc/cpuinfo does, and where they were read."""
    if sys.platform == "darwin":
        found = apple_features(sysctl)
        return found, "probed: sysctl hw.optional.arm" if "asimd" in found else "probed: sysctl machdep.cpu.features"
    if sys.platform == "win32":
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        found = tuple(name for number, name in WINDOWS_FEATURES.items() if present(number))
        return found, "probed: Windows' IsProcessorFeaturePresent"
    found = features_in(read_text(root / "proc/cpuinfo"))
    if found is None:
        return (), "not probed: this system has no /proc/cpuinfo flags"
    return found, "probed: /proc/cpuinfo, flags"


def features_in(cpuinfo: str) -> tuple[str, ...] | None:
    """The features that all cores have, by the text of /proc/cpuinfo; None where it names no flags at all."""
    sets = [set(flags.split()) for flags in set(re.findall(r"^(?:flags|Features)[ \t]*:(.*)$", cpuinfo, re.MULTILINE))]
    if not any(sets):
        return None
    common = set.intersection(*sets)
    return tuple(name for name in (*X86_FEATURES, *ARM_FEATURES) if name in common)


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


def offline_cpus(root: Path = ROOT) -> int:
    """CPUs that are there and switched off (a power mode of a Jetson does so)."""
    folder = root / "sys/devices/system/cpu"
    return switched_off(read_text(folder / "present"), read_text(folder / "online"))


def switched_off(present: str, online: str) -> int:
    """How many CPUs of the list `present` ("0-7") are not in the list `online` ("0-3,6")."""
    return len(cpu_list(present) - cpu_list(online)) if present and online else 0


def cpu_list(text: str) -> set[int]:
    """The kernel's list of CPUs, "0-3,6" -> {0, 1, 2, 3, 6}; what is no such list is empty."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part.strip())
        if match is None:
            return set()
        first, last = int(match[1]), int(match[2] or match[1])
        if last >= _MOST_CPUS:
            return set()
        found.update(range(first, last + 1))
    return found


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


def fast_cores(device: ProbedDevice) -> int:
    """Cores of every kind but the slowest; 0 where there is one kind, or where nobody can tell which is slow.

    Kinds are told apart by name, since some devices hide the clock of a cluster; alike ones by their clocks.
    """
    kinds = device.clusters
    ranks = [_rank(kind.name) for kind in kinds]
    if len(set(ranks)) < 2:
        ranks = [kind.max_mhz or 0.0 for kind in kinds]
        if device.system == "darwin":  # shows no clock, and names the fast kind first
            ranks = [float(-place) for place in range(len(kinds))]
        elif not all(ranks) or len(set(ranks)) < 2:
            return 0
    return sum(kind.cores for kind, rank in zip(kinds, ranks, strict=True) if rank > min(ranks))


def _rank(name: str) -> float:
    return 0.0 if _SMALL.search(name) else 2.0 if _PRIME.search(name) else 1.0


def _quota(root: Path) -> int | None:
    quota, period = [*read_text(root / "sys/fs/cgroup/cpu.max").split(), "", ""][:2]
    if not quota:
        quota = read_text(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = str(read_int(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us") or "")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return -(-int(quota) // int(period))


def apple_features(ask: Callable[[str], str]) -> tuple[str, ...]:
    """The features that a Mac's sysctl names; `ask` gives the value of one name."""
    found = tuple(linux for apple, linux in APPLE_FEATURES.items() if ask(f"hw.optional.arm.{apple}") == "1")
    if found:
        return found
    words = set(f"{ask('machdep.cpu.features')} {ask('machdep.cpu.leaf7_features')}".lower().split())
    renamed = {"avx1.0": "avx"}
    flags = {renamed.get(word, word) for word in words}
    return tuple(name for name in X86_FEATURES if name in flags)


def _first(text: str, key: str) -> str:
    match = re.search(rf"^{re.escape(key)}\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""
