"""`edgeshrink doctor`: what works here, what does not, and the fix."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import click

from edgeshrink import __version__
from edgeshrink.catalog.data import data_folders, display_path
from edgeshrink.catalog.entries import Entry
from edgeshrink.catalog.profiles import profile_entries
from edgeshrink.catalog.requirements import extra_requirements, extras, requirements
from edgeshrink.catalog.targets import target_entries
from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.core.doctor import DoctorLine, DoctorReport, Status
from edgeshrink.core.events import Listener, silent
from edgeshrink.devices import cpu, memory
from edgeshrink.devices.sensors import sensors
from edgeshrink.engine.machine import BUSY_SHARE, calibrated, known_calibration
from edgeshrink.engine.runner_folder import runner_folder
from edgeshrink.errors import Error
from edgeshrink.report.format import human_bytes
from edgeshrink.runtimes.registry import RUNTIMES, runtime
from edgeshrink.store import Store
from edgeshrink.toolchain import adb, cmake, cxx, javac, ssh
from edgeshrink.toolchain.runner.cache import everything
from edgeshrink.toolchain.runner.compilers.registry import found, none_here
from edgeshrink.toolchain.runner.platform import platform as runner_platform

ENOUGH_DISK = 2 * 2**30
ENOUGH_RAM = 2**30
# Host feature (as /proc/cpuinfo spells it) -> what llama.cpp calls the code that uses it.
KERNELS = {
    "avx2": "AVX2",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
    "asimddp": "DOTPROD",
    "i8mm": "MATMUL_INT8",
}
RUNNERS = {"native": "this machine", "arm64-dotprod": "64-bit ARM Linux", "android-arm64-dotprod": "Android"}
REBUILD = "CMAKE_ARGS=-DGGML_NATIVE=ON pip install --force-reinstall --no-cache-dir --no-deps llama-cpp-python=={}"


@click.command("doctor")
@click.option("--calibrate/--no-calibrate", default=True, help="Measure this machine for ten seconds if that is due.")
@click.option("--recalibrate", is_flag=True, help="Measure it anew: what is stored was taken while others were busy.")
@json_option
def command(calibrate: bool, recalibrate: bool, as_json: bool) -> int:
    """Check versions, compilers, runtimes, sensors, free RAM and disk; exit 1 if something needed is missing."""
    from edgeshrink.report.doctor_table import render_doctor
    from edgeshrink.report.progress import ProgressBars

    with ProgressBars(quiet=as_json) as listener:
        report = doctor(calibrate=calibrate, again=recalibrate, listener=listener)
    if as_json:
        click.echo(json_text(report))
    else:
        show(render_doctor(report))
    return 0 if report.can_build else 1


def doctor(*, calibrate: bool = False, again: bool = False, listener: Listener = silent) -> DoctorReport:
    """Look at everything a build stands on.

    `calibrate` measures the machine, once, where that was not done yet; `again`, although it was.
    """
    before = [*_python(), *_packages(), *_extras(), *_tools(), *_devices(), *_runtimes(), *_machine()]
    return DoctorReport((*before, *_store(calibrate, again, listener), *_data()))


def _python() -> Iterator[DoctorLine]:
    tested = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} at {sys.executable}"
    fix = "" if tested else "use Python 3.11, 3.12 or 3.13"
    yield DoctorLine("python", "Python", "ok" if tested else "warn", detail, fix)
    yield DoctorLine("python", "edgeshrink", "ok", __version__)


def _packages() -> Iterator[DoctorLine]:
    for package in requirements():
        install = f"pip install '{package.name}{package.tested}'"
        if package.fits:
            yield DoctorLine("packages", package.name, "ok", f"{package.installed} (tested: {package.tested})")
        elif package.installed:
            detail = f"{package.installed}, tested was {package.tested}"
            yield DoctorLine("packages", package.name, "warn", detail, install)
        else:
            yield DoctorLine("packages", package.name, "missing", f"not installed, needed: {package.tested}", install)


def _extras() -> Iterator[DoctorLine]:
    """The combinations of versions that were tested, one line for each extra."""
    for extra in extras():
        packages = extra_requirements(extra)
        install = f"pip install 'edgeshrink[{extra}]'"
        there = ", ".join(f"{package.name} {package.installed}" for package in packages)
        missing = ", ".join(package.name for package in packages if not package.installed)
        other = ", ".join(
            f"{package.name} {package.installed} (tested {package.tested})"
            for package in packages
            if package.installed and not package.fits
        )
        if missing:
            yield DoctorLine("extras", extra, "absent", f"not installed: {missing}", install)
        elif other:
            yield DoctorLine("extras", extra, "warn", f"not the combination that was tested: {other}", install)
        else:
            yield DoctorLine("extras", extra, "ok", f"{there}: tested together")


def _tools() -> Iterator[DoctorLine]:
    compiler = cxx.find()
    if compiler is None:
        detail = "none found; the runner for this machine is built with one, and llama-cpp-python from source"
        yield DoctorLine("tools", cxx.NAME, "absent", detail, cxx.FIX)
    else:
        yield DoctorLine("tools", cxx.NAME, "ok", f"{compiler.path} {compiler.version}".rstrip())
    build_tool = cmake.find()
    if build_tool is None:
        yield DoctorLine("tools", cmake.NAME, "absent", "none found; a source build of llama-cpp-python brings its own")
    else:
        yield DoctorLine("tools", cmake.NAME, "ok", f"{build_tool.path} {build_tool.version}".rstrip())
    java = javac.find()
    if java is None:
        yield DoctorLine("tools", javac.NAME, "absent", "none found; an Android bundle's AAR is compiled", javac.FIX)
    else:
        yield DoctorLine("tools", javac.NAME, "ok", f"{java.path} {java.version}".rstrip())


def _devices() -> Iterator[DoctorLine]:
    """What profiling on an attached device stands on: the links, a compiler for its runner, runners that are ready."""
    for tool, kind in ((ssh, "ssh:"), (adb, "adb:")):
        program = tool.find()
        if program is None:
            yield DoctorLine("devices", tool.NAME, "absent", f"none found; devices behind {kind} need it", tool.FIX)
        else:
            yield DoctorLine("devices", tool.NAME, "ok", f"{program.path} {program.version}".rstrip())
    for name, system in RUNNERS.items():
        yield _runner(name, f"runner for {system}")
    ready = ", ".join(sorted({f"{kept.record.target} {kept.record.level}" for kept in everything(runner_folder())}))
    where = display_path(runner_folder())
    detail = f"{where}: {ready}" if ready else f"none in {where}: the first session on a device builds its own"
    yield DoctorLine("devices", "runners ready", "ok" if ready else "absent", detail)


def _runner(name: str, row: str) -> DoctorLine:
    try:
        wanted = runner_platform(name)
    except Error as error:
        return DoctorLine("devices", row, "absent", error.message)
    if compilers := found(wanted):
        by = ", else ".join(compiler.shown for compiler in compilers)
        return DoctorLine("devices", row, "ok", f"can be built by {by}")
    why = none_here(wanted)
    return DoctorLine("devices", row, "absent", why.message, why.hint)


def _runtimes() -> Iterator[DoctorLine]:
    for name in RUNTIMES:
        try:
            build = runtime(name).build_id()
        except (Error, ImportError) as error:
            without: Status = "absent" if name in extras() else "missing"
            yield DoctorLine("runtimes", name, without, str(error), getattr(error, "hint", ""))
            continue
        yield DoctorLine("runtimes", name, "ok", f"loads; build {build}")
        if name == "llama_cpp":
            yield from _llama_cpp()


def _llama_cpp() -> Iterator[DoctorLine]:
    from edgeshrink.runtimes import llama_library

    compiled = llama_library.cpu_features()
    here, _ = cpu.isa_features()
    unused = [kernel for feature, kernel in KERNELS.items() if feature in here and kernel not in compiled]
    detail = f"{llama_library.version()} with {', '.join(compiled) or 'no CPU feature named'}"
    if unused:
        pin = llama_library.version().split()[0]
        detail += f"; this CPU also has {', '.join(unused)}"
        yield DoctorLine("runtimes", "llama.cpp kernels", "warn", detail, REBUILD.format(pin))
    else:
        yield DoctorLine("runtimes", "llama.cpp kernels", "ok", detail)


def _machine() -> Iterator[DoctorLine]:
    features = ", ".join(cpu.isa_features()[0]) or "no feature known"
    detail = f"{cpu.cpu_name().value}, {cpu.physical_cores()} cores, {cpu.usable_cpus()} CPUs usable: {features}"
    yield DoctorLine("machine", "processor", "ok", detail)
    free, total = memory.available_ram(), memory.total_ram()
    enough = free >= ENOUGH_RAM
    detail = f"{human_bytes(free)} of {human_bytes(total)} free"
    limit = memory.container_limit()
    if limit is not None:
        detail += f", limited to {human_bytes(limit.nbytes)} by {limit.source}"
    fix = "" if enough else "close other programs; a build needs about 1 GiB"
    yield DoctorLine("machine", "RAM", "ok" if enough else "warn", detail, fix)
    for sensor in sensors():
        yield DoctorLine("machine", sensor.name, "ok" if sensor.present else "absent", sensor.detail, sensor.fix)


def _store(calibrate: bool, again: bool, listener: Listener) -> Iterator[DoctorLine]:
    try:
        store = Store()
        free = shutil.disk_usage(store.root).free
    except (Error, OSError) as error:
        yield DoctorLine("store", "folder", "missing", str(error), getattr(error, "hint", ""))
        return
    if not os.access(store.root, os.W_OK):
        detail = f"{store.root} cannot be written to"
        yield DoctorLine("store", "folder", "missing", detail, "point EDGESHRINK_CACHE at a folder of yours")
        return
    enough = free >= ENOUGH_DISK
    fix = "" if enough else "free some space, point EDGESHRINK_CACHE elsewhere, or run edgeshrink cache gc"
    yield DoctorLine("store", "folder", "ok" if enough else "warn", f"{store.root}, {human_bytes(free)} free", fix)
    yield _calibration(store, calibrate, again, listener)


def _calibration(store: Store, calibrate: bool, again: bool, listener: Listener) -> DoctorLine:
    known = known_calibration(store.notes)
    if again or (known is None and calibrate):
        try:
            known = calibrated(store, listener, again=again)
        except Error as error:
            return DoctorLine("store", "calibration", "warn", f"failed: {error}", error.hint)
    if known is None:
        detail = "not yet: no prediction of speed for this machine"
        return DoctorLine("store", "calibration", "absent", detail, "edgeshrink doctor, or the first build, takes it")
    detail = (
        f"{known.taken_at}: memory reads {known.dram_read_bytes_s / 1e9:.1f} GB/s with {known.threads} threads,"
        f" prefill {known.prefill_flop_s / 1e9:.0f} GFLOP/s"
    )
    if known.others_cpu_share <= BUSY_SHARE:
        return DoctorLine("store", "calibration", "ok", detail)
    busy = f"{detail}; other programs used {known.others_cpu_share:.0%} of the CPUs meanwhile"
    return DoctorLine("store", "calibration", "warn", busy, "edgeshrink doctor --recalibrate, when the machine is idle")


def _data() -> Iterator[DoctorLine]:
    for folder in data_folders("profiles"):
        count = len(list(folder.path.glob("*.toml")))
        nothing: Status = "absent" if folder.origin == "yours" else "missing"
        detail = f"{display_path(folder.path)}: {count or 'no'} device profiles"
        yield DoctorLine("data", f"profiles ({folder.origin})", "ok" if count else nothing, detail)
    files: tuple[Entry[Any], ...] = (*profile_entries(), *target_entries())
    for entry in files:
        if entry.value is None:
            yield DoctorLine("data", display_path(entry.path), "warn", entry.problem, "correct the file, or remove it")
