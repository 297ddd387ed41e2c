"""Where artifacts are measured: on this machine, or on an attached device; and which of its figures count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from edgeshrink.catalog.profiles import THIS_MACHINE, load_profiles
from edgeshrink.core.device import parse_address
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.devices.local import host_is
from edgeshrink.devices.matching import Match, best_profile, match
from edgeshrink.engine.attached import Attached, attached
from edgeshrink.judging.countable import countable


@dataclass(frozen=True, slots=True)
class Place:
    """`attached` None: this machine, through the Python runtimes. `match`: is it the device of `profile`?

    `where` names another device whose figures were brought here.
    """

    profile: DeviceProfile
    match: Match
    attached: Attached | None = None
    anyway: bool = False
    where: str = ""

    @property
    def is_device(self) -> bool:
        return self.match.is_device

    @property
    def elsewhere(self) -> str:
        """Why figures taken here are not the profile's device's; "" where they are."""
        if self.is_device:
            return ""
        where = self.attached.device.address if self.attached else self.where
        if where and self.profile.id == THIS_MACHINE:
            return (
                f"no profile describes {where}: name one with --profile, or let `edgeshrink devices --device {where} "
                "--save` draft one"
            )
        if not where:
            return f"this host is not {self.profile.name}: what was measured here is this host's"
        return f"{where} is not {self.profile.name}: {self.match.why}"

    @property
    def not_measured(self) -> str:
        """Why a build measures nothing through this machine's own Python; "" where this is the device, or asked for."""
        if self.is_device or self.anyway:
            return ""
        return f"this host is not {self.profile.name}: name it with --device, or profile it there"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of figures that were taken here must know."""
        if self.attached is not None and self.profile.id == THIS_MACHINE and self.attached.device.emulation:
            return (f"{self.attached.device.emulation}: judged as the machine that it is",)
        return (self.elsewhere,) if self.attached is not None and self.elsewhere else ()

    def device_for(self, request: Request, runtime: str) -> Attached | None:
        """The device whose session measures what `runtime` opens; None: this machine's own Python does.

        `local` is a device for the native runner and for a vendor's; our Python runtimes are here already.
        """
        if self.attached is None or self.attached.transport.address.kind != "local":
            return self.attached
        return self.attached if runtime == "llama_cpp" or request.session.vendor_runner else None

    def countable(self, measured: Measurements | Unmeasured) -> Measurements | Unmeasured:
        """What a verdict may rest on."""
        if isinstance(measured, Unmeasured):
            return measured
        # The profile of this very machine describes whatever the machine is, a virtual one too.
        device = measured.device if self.profile.id != THIS_MACHINE else None
        emulation = device.emulation if device else ""
        return countable(measured, elsewhere=self.elsewhere, emulation=emulation, anyway=self.anyway)


@contextmanager
def open_place(request: Request, profile: DeviceProfile, listener: Listener = silent) -> Iterator[Place]:
    """The place that `request` names; an attached device is probed first, and its link ended at the end."""
    if request.device is None:
        yield Place(profile, host_is(profile), anyway=request.judge_anyway)
        return
    with attached(parse_address(request.device), listener) as device:
        yield place_of(device, profile, anyway=request.judge_anyway)


def matched(request: Request, target: Target, place: Place) -> tuple[Request, Place]:
    """A build without --profile is judged by the profile that the attached device matches, if it is of the target's
    family; else by the target's own."""
    if place.attached is None or request.profile is not None:
        return request, place
    known = best_profile(place.attached.device, load_profiles())
    if known is None or known[0].family != target.family:
        return request, place
    return replace(request, profile=known[0].id), place_of(place.attached, known[0], anyway=place.anyway)


def place_of(device: Attached, profile: DeviceProfile, *, anyway: bool) -> Place:
    """The place that an attached device is."""
    return Place(profile, match(device.device, profile), device, anyway)
