"""What a Mac says about itself. Pure. Written from recorded outputs; no Mac has answered it here yet."""

from __future__ import annotations

import re

from edgeshrink.core.device import Battery, CpuCluster
from edgeshrink.devices import cpu
from edgeshrink.devices.probing.sections import Sections, clean, within


def operating_system(sections: Sections) -> str:
    """ "macOS 15.5 (24F74)"."""
    lines = dict(re.findall(r"^(Product\w+|BuildVersion):\s*(.*)$", sections["sw_vers"], re.MULTILINE))
    words = [lines.get("ProductName", "macOS"), lines.get("ProductVersion", "")]
    if build := lines.get("BuildVersion", ""):
        words.append(f"({build})")
    return clean(" ".join(filter(None, words)))


def sysctl(sections: Sections, name: str) -> str:
    return clean(sections[f"sysctl:{name}"], 400)


def memory(sections: Sections) -> tuple[int, int]:
    """Bytes of RAM in all, and bytes that can be taken; 0 where the system does not say."""
    total = sections.number("sysctl:hw.memsize")
    if total is None or not within(total, 2**24, 2**46):
        return 0, 0
    return total, min(total, available_bytes(sections))


def available_bytes(sections: Sections) -> int:
    """Free pages and those that can be freed at once, in bytes; 0 where vm_stat does not say."""
    pages = dict(
        re.findall(r"^Pages (free|inactive|speculative):\s*([0-9]{1,12})\.$", sections["vm_stat"], re.MULTILINE)
    )
    size = re.match(r"Mach Virtual Memory Statistics: \(page size of ([0-9]{1,6}) bytes\)", sections["vm_stat"])
    return sum(map(int, pages.values())) * (int(size[1]) if size else page_bytes(sections))


def page_bytes(sections: Sections) -> int:
    size = sections.number("sysctl:hw.pagesize")
    return size if size in (4096, 16384) else 0


def cores(sections: Sections) -> int:
    count = sections.number("sysctl:hw.physicalcpu")
    return count if count is not None and within(count, 1, 1024) else 0


def clusters(sections: Sections) -> tuple[CpuCluster, ...]:
    """Performance cores, then efficiency cores. macOS shows no clock."""
    name = sysctl(sections, "machdep.cpu.brand_string") or "unknown"
    found = []
    for level in (0, 1):
        count = sections.number(f"sysctl:hw.perflevel{level}.physicalcpu")
        if count is not None and within(count, 1, 1024):
            kind = sysctl(sections, f"hw.perflevel{level}.name") or ("Performance", "Efficiency")[level]
            found.append(CpuCluster(f"{name} {kind.lower()} core", count))
    if not found and (count := cores(sections)):
        found.append(CpuCluster(name, count))
    return tuple(found)


def features(sections: Sections) -> tuple[str, ...]:
    return cpu.apple_features(lambda name: sysctl(sections, name))


def power_mode(sections: Sections) -> str:
    """What `pmset -g therm` says of the clock; Macs with Apple's chips mostly say nothing there."""
    match = re.search(r"CPU_Speed_Limit\s*= ([0-9]{1,3})$", sections["pmset:therm"], re.MULTILINE)
    return f"CPU held at {match[1]} % of its clock" if match and int(match[1]) < 100 else ""


def battery(sections: Sections) -> Battery | None:
    match = re.search(r"InternalBattery-0.*?([0-9]{1,3})%; ([A-Za-z ]{1,40})(?:;|$)", sections["pmset:batt"], re.M)
    if match is None:
        return None
    level, words = int(match[1]), match[2].strip()
    attached = re.search(r"; AC attached; not charging", sections["pmset:batt"])
    names = {"charged": "Full", "finishing charge": "Charging"}
    status = "Not charging" if attached else names.get(words, words.capitalize())
    return Battery(status, level if within(level, 0, 100) else None)


def serial(sections: Sections) -> str:
    match = re.search(r'"IOPlatformUUID" = "([0-9A-Fa-f-]{36})"', sections["ioreg"])
    return match[1].upper() if match else ""
