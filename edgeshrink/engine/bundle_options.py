"""What was asked of a bundle beside what its kind takes."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.bundle import BundleKind, BundleOptions
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.engine.bundle_runner import check_machine
from edgeshrink.errors import UsageError
from edgeshrink.toolchain.elf import read_elf

_ONLY: dict[str, tuple[BundleKind, str]] = {
    "parts": ("android", "--parts"),
    "application_id": ("android", "--application-id"),
    "delivery": ("android", "--delivery"),
    "xcframework_url": ("ios", "--xcframework-url"),
    "xcframework_checksum": ("ios", "--xcframework-checksum"),
    "executorch_revision": ("ios", "--executorch-revision"),
    "python": ("jetson", "--python"),
    "wheels": ("jetson", "--wheels"),
}


def check_options(kind: BundleKind, options: BundleOptions) -> None:
    """UsageError where something was asked for that a bundle of this kind would silently leave out."""
    plain = BundleOptions()
    for field, (only, flag) in _ONLY.items():
        if kind != only and getattr(options, field) != getattr(plain, field):
            raise UsageError(
                f"{flag} is for a bundle for {only}, and this one is for {kind}",
                hint=f"leave it out, or add --for {only}",
            )
    if kind == "ios" and options.runner is not None:
        raise UsageError("there is no runner for iOS", hint="the app's own process runs the model there")


def check_runner(kind: BundleKind, profile: DeviceProfile, runner: Path) -> None:
    """UsageError or DataError where the file `runner` is no program for the profile's device."""
    wanted = check_machine(kind, profile)
    if "apple" in profile.facts.abi.value.lower():
        return
    if (machine := read_elf(runner).machine) != wanted:
        raise UsageError(
            f"{runner} is a program for {machine}, and {profile.id} runs {wanted}",
            hint="leave --runner out: it is built",
        )
