"""This machine as facts, and as the device profile `this-machine`."""

from __future__ import annotations

import functools
import mmap
import platform
import shutil
import sys
from pathlib import Path

from edgeshrink.catalog.profiles import THIS_MACHINE, load_profile
from edgeshrink.core.calibration import MachineCalibration
from edgeshrink.core.measurement import HostFacts, HostState
from edgeshrink.core.profile import BytesFact, CountFact, DeviceFacts, DeviceProfile, NamesFact, RateFact, TextFact
from edgeshrink.devices import cpu, memory, state
from edgeshrink.devices.matching import Hardware, Match, compare
from edgeshrink.devices.probing.identity import device_id
from edgeshrink.devices.system import ROOT, read_text

BUDGET_OF = "laptop-4core-8gb"
"""The profile whose budget `this-machine` is judged against; one's own file of that name changes it."""


@functools.cache
def host_facts() -> HostFacts:
    """This machine. `id` stays the same until another machine, or other hardware, is underneath."""
    name, cores, ram = cpu.cpu_name().value, cpu.physical_cores(), memory.total_ram()
    features, _ = cpu.isa_features()
    identity = device_id(
        system=platform.system(),
        machine=platform.machine(),
        cpu=name,
        cores=cores + cpu.offline_cpus(),
        ram_bytes=ram,
        features=features,
        serial=_machine_id(),
    )
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return HostFacts(id=identity, system=system, cpu=name, cores=cores, ram_bytes=ram, python=platform.python_version())


def host_state() -> HostState:
    """Load, memory, governor, clock and temperature at this moment."""
    return state.host_state()


def this_machine(calibration: MachineCalibration | None = None) -> DeviceProfile:
    """The profile `this-machine`: facts probed now, the budget of an ordinary laptop (`BUDGET_OF`).

    Memory bandwidth stands in it only when this machine was calibrated; nothing else measures it.
    """
    return DeviceProfile(
        id=THIS_MACHINE,
        name=f"this machine ({cpu.cpu_name().value})",
        family="laptop",
        preferred_target="laptop-cpu",
        facts=_probed_facts(calibration),
        budget=load_profile(BUDGET_OF).budget,
    )


def profile_for(profile_id: str, calibration: MachineCalibration | None = None) -> DeviceProfile:
    """The profile of that id, `this-machine` too. DataError as `catalog.profiles.load_profile`."""
    return this_machine(calibration) if profile_id == THIS_MACHINE else load_profile(profile_id)


def host_is(profile: DeviceProfile) -> Match:
    """Is this host the device that `profile` describes? Only then do its speed and memory lines get a verdict."""
    names, _ = cpu.hardware_names()
    features, _ = cpu.isa_features()
    seen = Hardware(
        who="this host",
        names=names,
        cores=cpu.physical_cores(),
        ram_bytes=memory.total_ram(),
        features=features,
        page_bytes=mmap.PAGESIZE,
        is_here=True,
    )
    return compare(seen, profile)


def _probed_facts(calibration: MachineCalibration | None) -> DeviceFacts:
    name = cpu.cpu_name()
    models, models_source = cpu.hardware_names()
    features, features_source = cpu.isa_features()
    cache, cache_source = cpu.last_level_cache()
    app = memory.app_ram()
    fast = cpu.performance_cores()
    bandwidth = None
    if calibration is not None and calibration.host_id == host_facts().id:
        source = f"calibrated: this machine, {calibration.taken_at}, {calibration.threads} threads"
        bandwidth = RateFact(value=calibration.dram_read_bytes_s, source=source)
    return DeviceFacts(
        cpu=TextFact(value=name.value, source=name.source),
        hardware_model=NamesFact(value=models, source=models_source) if models else None,
        cores=CountFact(value=cpu.physical_cores(), source="probed: psutil.cpu_count(logical=False)"),
        performance_cores=CountFact(value=fast, source="probed: sysctl hw.perflevel0.physicalcpu") if fast else None,
        isa_features=NamesFact(value=features, source=features_source),
        ram_bytes=BytesFact(value=memory.total_ram(), source="probed: psutil.virtual_memory().total"),
        app_ram_bytes=BytesFact(value=app.nbytes, source=app.source),
        memory_bandwidth_bytes_s=bandwidth,
        last_level_cache_bytes=BytesFact(value=cache, source=cache_source) if cache else None,
        storage=TextFact(value=_storage(), source="probed: size of the file system of the home folder"),
        abi=TextFact(value=platform.machine().lower(), source="probed: Python's platform.machine()"),
        page_bytes=CountFact(value=mmap.PAGESIZE, source="probed: Python's mmap.PAGESIZE"),
        os_limits=_os_limits(),
    )


def _storage() -> str:
    home = Path.home() if Path.home().is_dir() else Path.cwd()
    return f"{shutil.disk_usage(home).total / 2**30:.0f} GiB file system"


def _os_limits() -> TextFact:
    limit = memory.container_limit()
    if limit is not None:
        words = f"control group: {limit.nbytes / 2**30:.1f} GiB for this process and its siblings"
        return TextFact(value=words, source=f"probed: {limit.source}")
    if sys.platform == "linux":
        return TextFact(value="no memory limit on this process's control groups", source="probed: /proc/self/cgroup")
    return TextFact(value="none looked for on this system", source="not probed: only Linux control groups are read")


def _machine_id() -> str:
    """What tells two machines of one make apart; "" where the system has no such file (macOS, Windows)."""
    serial = read_text(ROOT / "proc/device-tree/serial-number")
    return "+".join(filter(None, [read_text(ROOT / "etc/machine-id"), serial]))
