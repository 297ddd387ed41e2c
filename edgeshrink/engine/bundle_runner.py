"""The native runner that goes into a bundle: for the device that the profile describes, which need not be here."""

from __future__ import annotations

import sys

from edgeshrink.catalog.targets import load_targets
from edgeshrink.core.bundle import BundleKind
from edgeshrink.core.events import Listener, notice
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.devices.local import profile_for
from edgeshrink.engine.runner_folder import runner_folder
from edgeshrink.errors import DataError, DeviceError, ToolMissing, UsageError
from edgeshrink.toolchain.elf import read_elf
from edgeshrink.toolchain.runner.build import BuiltRunner, build_runner
from edgeshrink.toolchain.runner.making import PAGE_BYTES
from edgeshrink.toolchain.runner.platform import (
    MACHINES,
    RunnerPlatform,
    System,
    native_platform,
    richest_platform,
)

_ARM_ONLY = ("android", "jetson")


def device_profile(kind: BundleKind, built_for: str, listener: Listener) -> DeviceProfile:
    """The device that a runner in a bundle of `kind` is for: the profile `built_for` where it is of that kind, else the
    usual one of the target that takes such bundles; a notice says so."""
    profile = profile_for(built_for, None)
    takers = [target for target in load_targets() if target.bundle == kind]
    if not takers or any(target.family == profile.family for target in takers):
        return profile
    usual = profile_for(takers[0].default_profile, None)
    listener(notice(f"the model was built for {profile.name}; the runner beside it is for {usual.name}"))
    return usual


def runner_for_bundle(kind: BundleKind, profile: DeviceProfile, *, listener: Listener) -> BuiltRunner:
    """A runner that answers, for every device of which `profile` is true: a static file with no instruction that the
    profile's facts do not name. Notices say where it is something else.

    Android: by the NDK where there is one, else a static file for Linux, which Android's kernel runs as well. Laptop:
    for this machine's system; where no compiler here makes a static file, this machine's own, linked to the installed
    llama.cpp. ToolMissing, StepFailed, NoSpace as in a build; UsageError where no runner is for such a device.
    """
    platform = richest_platform(_system(kind, profile), check_machine(kind, profile), profile.facts.isa_features.value)
    try:
        built = build_runner(platform, runner_folder(), listener=listener)
    except ToolMissing as missing:
        if kind != "laptop" or not _is_here(platform):
            raise
        listener(
            notice(
                f"The runner in this bundle works on this machine only: {missing.message}. It is linked to the "
                f"llama.cpp that is installed here. For one that works elsewhere: {missing.hint}"
            )
        )
        return build_runner(native_platform(), runner_folder(), listener=listener)
    if platform.system != "darwin":
        _check(built)
        if kind == "android" and read_elf(built.path).static:
            listener(
                notice(
                    "The runner in this bundle is a static program for Linux on 64-bit ARM, which Android's kernel "
                    "runs as well; within an app, where Android forbids some system calls, it has not been tried. "
                    "One for Android's own libraries is made where ANDROID_NDK_HOME names an NDK."
                )
            )
    return built


def _system(kind: BundleKind, profile: DeviceProfile) -> System:
    if kind == "ios":
        raise UsageError("there is no runner for iOS", hint="the app's own process runs the model there")
    if kind == "laptop":
        return "darwin" if sys.platform == "darwin" or "apple" in profile.facts.abi.value else "linux"
    return "android" if kind == "android" else "linux"


def check_machine(kind: BundleKind, profile: DeviceProfile) -> str:
    """The profile's machine, such as aarch64; UsageError where no device of that kind has it."""
    abi = profile.facts.abi.value.lower()
    for name, machine in MACHINES.items():
        if abi.startswith(name):
            if kind in _ARM_ONLY and machine != "aarch64":
                raise UsageError(
                    f"the model was built for {profile.id}, which runs {machine}: no runner of that is for {kind}",
                    hint=f"build it with --target {kind}, whose profiles are of such devices",
                )
            return machine
    raise UsageError(
        f"profile {profile.id}: there is no runner for {profile.facts.abi.value}",
        hint="64-bit ARM and x86-64 are supported",
    )


def _is_here(platform: RunnerPlatform) -> bool:
    try:
        native = native_platform()
    except DeviceError:
        return False
    return (platform.system, platform.machine) == (native.system, native.machine)


def _check(built: BuiltRunner) -> None:
    headers = read_elf(built.path)
    if headers.machine != built.platform.machine or headers.page_bytes < PAGE_BYTES:
        raise DataError(
            f"{built.path} is for {headers.machine} and aligned to {headers.page_bytes} bytes: not every "
            f"{built.platform.machine} device can map it",
            hint=f"remove {built.path.parent}; the next bundle builds it anew",
        )
