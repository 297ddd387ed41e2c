"""The answer to the probing script -> what the device is. Pure and strict: the text comes from outside."""

from __future__ import annotations

import re

from edgeshrink.core.device import Probe, ProbedDevice
from edgeshrink.devices.probing import android, darwin, linux
from edgeshrink.devices.probing.emulation import emulation_of_darwin, emulation_of_linux
from edgeshrink.devices.probing.identity import device_id
from edgeshrink.devices.probing.sections import Sections, clean, read_sections
from edgeshrink.errors import DeviceError

_MOST_UNREAD = 24
_NO_ROOT = "needs root, and sudo would ask for a password"


def parse(answer: str, marker: str, address: str) -> Probe:
    """DeviceError where the answer is no whole answer, or comes from a system that is not supported."""
    sections = read_sections(answer, marker)
    uname = re.fullmatch(r"(\w{1,20}) (\S{1,120}) ([\w-]{1,20})", sections["uname"])
    if uname is None:
        raise DeviceError(f"{address} does not say what system it is", hint="see that `uname -srm` runs on it")
    system, release, machine = uname[1], clean(uname[2]), uname[3]
    if system == "Darwin":
        device = _darwin(sections, release, machine, address)
    elif system == "Linux":
        device = _linux(sections, release, machine, address)
    else:
        raise DeviceError(f"{address} runs {system}", hint="Linux, Android and macOS can be probed")
    return Probe(device, _shown(sections))


def _linux(sections: Sections, release: str, machine: str, address: str) -> ProbedDevice:
    props = android.properties(sections)
    is_android = bool(props) or "/system/bin/linker64" in sections["nodes"]
    own_name, features = linux.processor(sections, machine), linux.features(sections, machine)
    cores, (ram, available) = linux.cores(sections), linux.memory(sections)
    serial = android.serial(props) or linux.own_serial(sections)
    return ProbedDevice(
        address=address,
        id=device_id(
            system="Linux",
            machine=machine,
            cpu=own_name,
            cores=cores + linux.switched_off(sections),
            ram_bytes=ram,
            features=features,
            serial=serial,
        ),
        system="android" if is_android else "linux",
        os=android.operating_system(props) if is_android else linux.operating_system(sections),
        kernel=f"Linux {release}",
        machine=machine,
        libc="bionic" if is_android else linux.libc(sections),
        names=android.names(props) or linux.names(sections),
        cpu=android.chip(props) or own_name,
        clusters=linux.clusters(sections, machine),
        cores=cores,
        cpu_features=features,
        ram_bytes=ram,
        available_bytes=available,
        page_bytes=linux.page_bytes(sections),
        gpus=linux.gpus(sections),
        npus=linux.npus(sections),
        governor=linux.governor(sections),
        power_mode=linux.power_mode(sections),
        thermal=(android.temperatures(sections) or tuple(linux.temperatures(sections)))[:128],
        battery=android.battery(sections) or linux.battery(sections),
        emulation=emulation_of_linux(sections, machine, props),
        unread=_unread(sections, _missing_on_linux(sections, is_android)),
    )


def _darwin(sections: Sections, release: str, machine: str, address: str) -> ProbedDevice:
    name = darwin.sysctl(sections, "machdep.cpu.brand_string") or machine
    features, cores = darwin.features(sections), darwin.cores(sections)
    ram, available = darwin.memory(sections)
    model = darwin.sysctl(sections, "hw.model")
    apple = name.startswith("Apple ")
    return ProbedDevice(
        address=address,
        id=device_id(
            system="Darwin",
            machine=machine,
            cpu=name,
            cores=cores,
            ram_bytes=ram,
            features=features,
            serial=darwin.serial(sections),
        ),
        system="darwin",
        os=darwin.operating_system(sections),
        kernel=f"Darwin {release}",
        machine=machine,
        libc="libSystem",
        names=(model,) if model else (),
        cpu=name,
        clusters=darwin.clusters(sections),
        cores=cores,
        cpu_features=features,
        ram_bytes=ram,
        available_bytes=available,
        page_bytes=darwin.page_bytes(sections),
        gpus=(f"{name} GPU",) if apple else (),
        npus=("Apple Neural Engine",) if apple else (),
        power_mode=darwin.power_mode(sections),
        battery=darwin.battery(sections),
        emulation=emulation_of_darwin(sections),
        unread=_unread(sections, ["clock and temperature: macOS shows them to root only"]),
    )


def _missing_on_linux(sections: Sections, is_android: bool) -> list[str]:
    """What was asked for and did not come, where the device is of a kind that has it."""
    missing = []
    if "nvpmodel" in sections.text and "NV Power Mode" not in sections["nvpmodel"]:
        missing.append(f"power mode: nvpmodel -q {_NO_ROOT}")
    if "jetson_clocks" in sections.text and "MinFreq=" not in sections["jetson_clocks"]:
        missing.append(f"pinned clocks: jetson_clocks --show {_NO_ROOT}")
    if is_android and not android.properties(sections):
        missing.append("model: getprop did not answer")
    if is_android and android.battery(sections) is None:
        missing.append("battery: dumpsys battery names none")
    if not is_android and not linux.libc(sections):
        missing.append("C library: neither getconf nor the library itself names its version")
    for name, value in (
        ("cores", linux.cores(sections)), ("RAM", linux.memory(sections)[0]), ("page size", linux.page_bytes(sections)),
    ):  # fmt: skip
        if not value:
            missing.append(f"{name}: not shown")
    if any(name in sections["nodes"].splitlines() for name in ("/.dockerenv", "/run/.containerenv")):
        missing.append("limits of the machine around: this is a container")
    return missing


def _unread(sections: Sections, missing: list[str]) -> tuple[str, ...]:
    denied = [f"{clean(path)}: permission denied" for path in sections.denied]
    more = len(denied) - _MOST_UNREAD
    return (*missing, *denied[:_MOST_UNREAD], *((f"{more} more files: permission denied",) if more > 0 else ()))


def _shown(sections: Sections) -> dict[str, str]:
    """A file that may not be read stands as "", and as `unreadable:PATH` with the reason."""
    found = dict(sections.shown)
    found.update({f"unreadable:{path}": "Permission denied" for path in sections.denied if path in found})
    for name, text in sections.text.items():
        if name.startswith("command:"):
            found[name] = clean(text, 400)
    return found
