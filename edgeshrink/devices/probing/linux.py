"""What a Linux device says about itself, from the sections of its answer. Pure; Android adds `android`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from edgeshrink.core.device import Battery, CpuCluster, ThermalZone
from edgeshrink.devices import cpu
from edgeshrink.devices.probing.sections import Sections, clean, whole, within

X86 = re.compile(r"x86_64|i[3-6]86|amd64")
"""What `uname -m` says on an x86 processor."""
_X86_MAKERS = re.compile(r"^vendor_id\s*:\s*(?:GenuineIntel|AuthenticAMD|HygonGenuine|CentaurHauls)\s*$", re.MULTILINE)
_AT_PAGESZ = 6
# nvidia-smi says on stdout what it cannot do.
_COMPLAINT = re.compile(r"(?i)failed|no devices|unable|error|not supported|insufficient")
MOST_CORES = 4096
_CPU = "/sys/devices/system/cpu/cpu([0-9]+)"
_PCI_MAKERS = {"8086": "Intel", "10DE": "NVIDIA", "1002": "AMD", "1AF4": "virtio", "1234": "QEMU", "15AD": "VMware"}
# Tegra's GPUs, by the name that the kernel gives the device; chips as NVIDIA's developer guides pair them.
_TEGRA_GPUS = {"ga10b": "NVIDIA Ampere (ga10b)", "gv11b": "NVIDIA Volta (gv11b)", "gp10b": "NVIDIA Pascal (gp10b)"}
_NPU_NODES = (
    (r"/dev/(?:adsprpc-smd|fastrpc-cdsp)", "Qualcomm Hexagon DSP"),
    (r"/dev/(?:edgetpu.*|abrolhos|janeiro|rio)", "Google edge TPU"),
    (r"/dev/apusys", "MediaTek APU"),
    (r"/dev/vertex10", "Samsung NPU"),
    (r"/dev/rknpu", "Rockchip NPU"),
    (r"/dev/hailo0", "Hailo"),
    (r"/dev/apex_0", "Google Coral Edge TPU"),
)


def operating_system(sections: Sections) -> str:
    """ "Ubuntu 22.04.4 LTS, L4T 36.3.0"."""
    match = re.search(r"^PRETTY_NAME=(.*)$", sections["/etc/os-release"], re.MULTILINE)
    name = clean(match[1].strip("\"'")) if match else ""
    release = sections["/etc/nv_tegra_release"]
    l4t = re.match(r"# R([0-9]{1,4}) \(release\), REVISION: ([0-9.]{1,12}),", release)
    return ", ".join(filter(None, [name, f"L4T {l4t[1]}.{l4t[2]}" if l4t else ""]))


def libc(sections: Sections) -> str:
    """ "glibc 2.35", "musl 1.2.4", or less where no version can be seen."""
    if match := re.fullmatch(r"glibc ([0-9][0-9.]{0,11})", sections["libc"]):
        return f"glibc {match[1]}"
    asked = sections["libc:asked"]
    if match := re.search(r"stable release version ([0-9][0-9.]{0,10}[0-9])", asked):
        return f"glibc {match[1]}"
    if "musl" in asked or "/lib/ld-musl-" in sections["nodes"]:
        match = re.search(r"^Version ([0-9][0-9.]{0,11})$", asked, re.MULTILINE)
        return f"musl {match[1]}" if match else "musl"
    return ""


def device_tree(sections: Sections, name: str) -> list[str]:
    """The strings of a device tree's property, which zero bytes end (`cat -v` shows them as ^@)."""
    return [clean(part) for part in sections[f"device-tree:{name}"].split("^@")]


def names(sections: Sections) -> tuple[str, ...]:
    """How the device names itself, the module before the board it sits on."""
    tree = cpu.tree_names("".join(device_tree(sections, "model")[:1]), device_tree(sections, "compatible"))
    return tree[:16] or cpu.product_names(clean(sections["/sys/class/dmi/id/product_name"]))


def own_serial(sections: Sections) -> str:
    """What tells this device from another of its make; "" where it shows nothing of the kind."""
    # Both: a system image is copied from card to card, machine-id and all.
    serial = "".join(device_tree(sections, "serial-number")[:1])
    return "+".join(filter(None, [clean(sections["/etc/machine-id"]), serial]))


def memory(sections: Sections) -> tuple[int, int]:
    """Bytes of RAM in all, and bytes that can be taken; 0 where the system does not say."""
    lines = dict(re.findall(r"^(\w+):\s*([0-9]{1,15}) kB$", sections["/proc/meminfo"], re.MULTILINE))
    kib = {name: int(text) for name, text in lines.items()}
    total = kib.get("MemTotal", 0)
    # Kernels before 3.14 have no MemAvailable.
    available = kib.get("MemAvailable", sum(kib.get(name, 0) for name in ("MemFree", "Buffers", "Cached")))
    return (total * 1024, min(available, total) * 1024) if within(total, 2**14, 2**36) else (0, 0)


def page_bytes(sections: Sections) -> int:
    """Bytes of a page of memory; 0 where neither getconf nor the kernel tells."""
    match = re.search(r"^KernelPageSize:\s*([0-9]{1,6}) kB$", sections["/proc/self/smaps"], re.MULTILINE)
    shown = sections.number("getconf:PAGESIZE"), _auxiliary(sections).get(_AT_PAGESZ)
    for size in (*shown, int(match[1]) * 1024 if match else None):
        if size is not None and 4096 <= size <= 2**21 and size & (size - 1) == 0:
            return size
    return 0


def _auxiliary(sections: Sections) -> dict[int, int]:
    """The auxiliary vector of a process there: type -> value."""
    numbers = [whole(text) or 0 for text in sections["auxv"].split()[:256]]
    return dict(zip(numbers[::2], numbers[1::2], strict=False))


def foreign_cpuinfo(sections: Sections, machine: str) -> bool:
    """Does /proc/cpuinfo describe an x86 processor under a system of another kind? An emulator let it through."""
    return not X86.match(machine) and bool(_X86_MAKERS.search(sections["/proc/cpuinfo"]))


def processor(sections: Sections, machine: str) -> str:
    """The processor's name, "unknown" where it has none."""
    if foreign_cpuinfo(sections, machine):
        return f"emulated {machine} processor"
    return clean(cpu.name_in(sections["/proc/cpuinfo"])) or "unknown"


def features(sections: Sections, machine: str) -> tuple[str, ...]:
    """What all cores can do, by /proc/cpuinfo, or by the auxiliary vector where that tells of another processor."""
    if X86.match(machine):
        known: tuple[str, ...] = cpu.X86_FEATURES
    else:
        known = cpu.ARM_FEATURES
    found = cpu.features_in(sections["/proc/cpuinfo"])
    if found is None or foreign_cpuinfo(sections, machine):
        vector = _auxiliary(sections) if machine in ("aarch64", "arm64") else {}
        found = tuple(name for name, (kind, bit) in cpu.ARM_HWCAPS.items() if vector.get(kind, 0) >> bit & 1)
    return tuple(name for name in known if name in found)


def cores(sections: Sections) -> int:
    """Cores that are switched on; hardware threads of one core count once. 0 where the system does not say."""
    threads = cpu.cores_in(sections["/proc/cpuinfo"])
    siblings = {line for line in sections["siblings"].splitlines() if cpu.cpu_list(line)}
    packages = {(core["physical id"], core["core id"]) for core in threads if {"physical id", "core id"} <= core.keys()}
    count = len(siblings) or len(packages) or len(threads) or len(cpu.cpu_list(_cpus(sections, "online")))
    return count if count <= MOST_CORES else 0


def switched_off(sections: Sections) -> int:
    """Hardware threads that are there and switched off."""
    return cpu.switched_off(_cpus(sections, "present"), _cpus(sections, "online"))


def _cpus(sections: Sections, which: str) -> str:
    return sections[f"/sys/devices/system/cpu/{which}"]


def clusters(sections: Sections, machine: str) -> tuple[CpuCluster, ...]:
    """Cores by kind, the fastest kind first."""
    threads = cpu.cores_in(sections["/proc/cpuinfo"])[:MOST_CORES]
    speeds = {
        int(number): khz / 1000
        for number, text in sections.below(f"{_CPU}/cpufreq/cpuinfo_max_freq")
        if (khz := whole(text)) is not None and within(khz, 1_000, 20_000_000)
    }
    if any(cpu.part_number(core) for core in threads):
        kinds: Counter[tuple[str, float | None]] = Counter()
        for core in threads:
            number = cpu.part_number(core)
            kind = " ".join(cpu.part_name(*number)) if number else "unknown core"
            kinds[kind, speeds.get(whole(core["processor"]) or 0)] += 1
    else:
        kinds = _kinds_by_type(sections, processor(sections, machine), speeds)
    found = [CpuCluster(name, count, mhz) for (name, mhz), count in kinds.items()]
    return tuple(sorted(found, key=lambda cluster: -(cluster.max_mhz or 0)))


def _kinds_by_type(sections: Sections, name: str, speeds: dict[int, float]) -> Counter[tuple[str, float | None]]:
    """Performance and efficiency cores where the kernel tells them apart (hybrid x86), else all as one kind."""
    groups = [cpu.cpu_list(line) for line in dict.fromkeys(sections["siblings"].splitlines())]
    kinds: Counter[tuple[str, float | None]] = Counter()
    for kind, file in (("performance core", "cpu_core"), ("efficiency core", "cpu_atom")):
        members = cpu.cpu_list(sections[f"/sys/devices/{file}/cpus"])
        if count := sum(bool(group & members) for group in groups):
            kinds[f"{name} {kind}", max((speeds[number] for number in members & speeds.keys()), default=None)] = count
    if not kinds and (count := cores(sections)):
        kinds[name, max(speeds.values(), default=None)] = count
    return kinds


def governor(sections: Sections) -> str:
    """The frequency governors in use; "" where the system shows none."""
    found = {clean(text, 40) for _, text in sections.below(f"{_CPU}/cpufreq/scaling_governor")}
    return " + ".join(sorted(found - {""})[:8])


def power_mode(sections: Sections) -> str:
    """The mode of a Jetson, whether its clocks are pinned, and what is switched off."""
    words = []
    query = sections["nvpmodel"]
    if match := re.search(r"^(?:NVPM VERB: Current mode: )?NV Power Mode: ([\w. -]{1,40})$", query, re.MULTILINE):
        number = re.search(r"^([0-9]{1,3})$", query, re.MULTILINE)
        words.append(match[1].strip() + (f" (mode {number[1]})" if number else ""))
    clocks = sections["jetson_clocks"]
    ranges = re.findall(r"^(?:cpu[0-9]+:.*|GPU )MinFreq=([0-9]{1,12}) MaxFreq=([0-9]{1,12})", clocks, re.MULTILINE)
    if ranges:
        pinned = all(low == high for low, high in ranges)
        words.append("clocks pinned by jetson_clocks" if pinned else "clocks not pinned")
    if off := switched_off(sections):
        words.append(f"{off} CPUs switched off")
    return ", ".join(words)


def temperatures(sections: Sections) -> Iterator[ThermalZone]:
    """Thermal zones, then the sensors of hardware monitors; what is out of any range is left out."""
    for number, text in sections.below("/sys/class/thermal/thermal_zone([0-9]+)/temp"):
        name = clean(sections[f"/sys/class/thermal/thermal_zone{number}/type"], 60) or f"thermal_zone{number}"
        # A Jetson Nano's PMIC-Die says 100 °C, always: a stand-in, no reading.
        if (zone := _zone(name, text)) is not None and name != "PMIC-Die":
            yield zone
    for chip, text in sections.below("/sys/class/hwmon/(hwmon[0-9]+)/temp[0-9]+_input"):
        if (zone := _zone(clean(sections[f"/sys/class/hwmon/{chip}/name"], 60) or chip, text)) is not None:
            yield zone


def _zone(name: str, millidegrees: str) -> ThermalZone | None:
    value = whole(millidegrees)
    # Some drivers speak in whole degrees; switched-off sensors of Qualcomm and Tegra say -40 and below, or -274000.
    celsius = None if value is None else value / 1000 if abs(value) >= 1000 else float(value)
    return ThermalZone(name, celsius) if celsius is not None and within(celsius, -39, 150) else None


def battery(sections: Sections) -> Battery | None:
    """The system's own battery (not a mouse's)."""
    supply = "/sys/class/power_supply/"
    for name, kind in sections.below(f"{supply}([^/]+)/type"):
        if kind == "Battery" and sections[f"{supply}{name}/scope"] != "Device":
            level = sections.number(f"{supply}{name}/capacity")
            status = clean(sections[f"{supply}{name}/status"], 40)
            return Battery(status or "unknown", level if within(level, 0, 100) else None)
    return None


def gpus(sections: Sections) -> tuple[str, ...]:
    """Names of the GPUs, from the driver's own tool where there is one, else from the kernel."""
    found = [clean(line, 80) for line in sections["nvidia-smi"].splitlines()[:16] if not _COMPLAINT.search(line)]
    found += [_drm_name(text) for _, text in sections.below("/sys/class/drm/card[0-9]+/device/uevent")]
    if model := clean(sections["/sys/class/kgsl/kgsl-3d0/gpu_model"], 60):
        found.append(f"Qualcomm {model}")
    # "Mali-G710 7 cores r0p0 0x...": the rest is of no use to people.
    if mali := re.match(r"Mali-\w+(?: [0-9]+ cores)?", sections["/sys/class/misc/mali0/device/gpuinfo"]):
        found.append(f"Arm {mali[0]}")
    nodes = sections["nodes"]
    if not found:
        found += [name for chip, name in _TEGRA_GPUS.items() if f".{chip}" in nodes]
    if not found and "nvidia,tegra210" in names(sections):
        found.append("NVIDIA Maxwell (gm20b)")
    return tuple(dict.fromkeys(filter(None, found)))[:16]


def _drm_name(uevent: str) -> str:
    driver, pci, tree = (_line(uevent, key) for key in ("DRIVER", "PCI_ID", "OF_COMPATIBLE_0"))
    if driver.startswith("nvidia"):
        return ""  # nvidia-smi names it better
    if match := re.fullmatch(r"([0-9A-F]{4}):[0-9A-F]{4}", pci):
        return f"{_PCI_MAKERS.get(match[1], 'PCI')} GPU {pci} ({driver or 'no driver'})"
    # A display controller is a DRM card, too, and renders nothing.
    gpu = re.search(r"v3d|mali|panfrost|panthor|lima|etnaviv|adreno|powervr|img-", f"{driver} {tree}")
    return f"{tree or 'GPU'} ({driver})" if gpu else ""


def _line(text: str, key: str) -> str:
    match = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    return clean(match[1], 60) if match else ""


def npus(sections: Sections) -> tuple[str, ...]:
    """What the kernel shows of neural accelerators. That it is there does not mean that a runtime here can use it."""
    found = []
    for _, uevent in sections.below("/sys/class/accel/accel[0-9]+/device/uevent"):
        driver = _line(uevent, "DRIVER")
        found.append("Intel NPU" if driver == "intel_vpu" else f"accelerator ({driver or 'no driver'})")
    nodes = sections["nodes"].splitlines()
    found += [name for pattern, name in _NPU_NODES if any(re.fullmatch(pattern, node) for node in nodes)]
    engines = len({node for node in nodes if re.search(r"\.nvdla", node)})
    engines = engines or len([node for node in nodes if node.startswith("/dev/nvhost-ctrl-nvdla")])
    if engines:
        found.append(f"NVIDIA DLA, {engines} engine{'s' if engines > 1 else ''}")
    return tuple(dict.fromkeys(found))[:16]
