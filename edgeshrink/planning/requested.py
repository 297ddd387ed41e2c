"""What a request means to a target: which format, which scheme of it, which delegate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast, get_args

from edgeshrink.core.request import Request
from edgeshrink.core.target import Target, Width
from edgeshrink.errors import PlanError
from edgeshrink.planning.formats import FORMATS, scheme_of
from edgeshrink.planning.network_schemes import network_schemes

ALL = "all"
_WIDTHS = get_args(Width)


def format_name(request: Request, target: Target) -> str:
    """The format to build: the one asked for, else the target's first. PlanError lists those that it takes."""
    name = next(iter(target.formats)) if request.format is None else request.format
    if name not in target.formats:
        raise PlanError(
            f"the target {target.id} takes no {name!r}", hint=f"it takes: {', '.join((*target.formats, ALL))}"
        )
    return name


def delegate_of(request: Request, target: Target, name: str) -> str:
    """The backend to build format `name` for; PlanError lists those that the target has for it."""
    delegates = target.formats[name].delegates
    asked = request.delegate or delegates[0]
    if asked not in delegates:
        raise PlanError(
            f"the target {target.id} has no delegate {asked!r} for {name}", hint=f"it has: {', '.join(delegates)}"
        )
    return asked


def delegate_here(request: Request, delegate: str, format: str, *, on_this_host: bool) -> str:
    """The backend that runs an artifact on this machine: the plan's where this is the device, or somebody insists."""
    return delegate if on_this_host or request.delegate is not None else default_delegate(format)


def default_delegate(format: str) -> str:
    """The backend of a format that any machine has."""
    return "xnnpack" if format == "executorch" else "cpu"


def requested_scheme(request: Request, target: Target) -> str | None:
    """The scheme that was asked for, as the format spells it; None where the ladder is to be walked."""
    name = format_name(request, target)
    asked = asked_for(request, name)
    return None if asked is None else scheme_of(by_width(asked, target.formats[name].aliases), name)


def asked_for(request: Request, format: str) -> str | None:
    """What `--scheme` says for `format`, as it was written: "Q4_K_M", or its part of "gguf=Q4_K_M,onnx=int4".

    PlanError where it names other formats alone.
    """
    parts = _scheme_parts(request)
    if parts and format not in parts and "" not in parts:
        raise PlanError(
            f"--scheme {request.scheme} says nothing of {format}", hint=f"add {format}=..., or build --format {ALL}"
        )
    return parts.get(format, parts.get(""))


def request_for(request: Request, format: str) -> Request:
    """What a request asks of one format: under `--format all` its own part of `--scheme`, or none."""
    if request.format != ALL:
        return replace(request, format=format)
    parts = _scheme_parts(request)
    return replace(request, format=format, scheme=parts.get(format, parts.get("")))


def _scheme_parts(request: Request) -> dict[str, str]:
    """Format -> scheme, as `--scheme` has them; "" is any format that is not named."""
    return dict(_named(part) for part in request.scheme.split(",")) if request.scheme else {}


def by_width(asked: str, aliases: Mapping[Width, str]) -> str:
    """A width (float, 8bit, 4bit) as the scheme that the target means by it; anything else as it is."""
    width = asked.lower()
    if width not in _WIDTHS:
        return asked
    found = aliases.get(cast(Width, width))
    if found is None:
        raise PlanError(f"this target has no {width} scheme", hint=f"it has: {', '.join(aliases) or 'none by width'}")
    return found


def _named(part: str) -> tuple[str, str]:
    name, separator, scheme = part.strip().rpartition("=")
    if separator and name not in FORMATS:
        raise PlanError(f"--scheme names an unknown format {name!r}", hint=f"known formats: {', '.join(FORMATS)}")
    return name, scheme


def network_format(request: Request, target: Target) -> str:
    """The format to build a network in: the one asked for, else the target's first that takes networks."""
    takers = [name for name, entry in target.formats.items() if entry.networks is not None]
    name = request.format or next(iter(takers), "")
    if name not in takers:
        raise PlanError(
            f"the target {target.id} takes no network as {name or 'any format'}",
            hint=f"it takes networks as: {', '.join((*takers, ALL)) if takers else 'nothing'}",
        )
    return name


def requested_network_scheme(request: Request, target: Target) -> str | None:
    """The scheme of a network that was asked for; None where the ladder is to be walked."""
    name = network_format(request, target)
    asked = asked_for(request, name)
    ladder = target.formats[name].networks
    if asked is None or ladder is None:
        return None
    return network_scheme(by_width(asked, ladder.aliases), name)


def network_scheme(name: str, format: str) -> str:
    """The scheme as `format` spells it for networks; PlanError lists the known ones."""
    known = network_schemes(format)
    found = {entry.lower(): entry for entry in known}.get(name.lower())
    if found is None:
        raise PlanError(f"{format} has no scheme {name!r} for networks", hint=f"its schemes: {', '.join(known)}")
    return found
