"""`edgeshrink.lock`: write what a build's bytes depended on, and refuse a build that would depend on anything else."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgeshrink.catalog.profiles import THIS_MACHINE
from edgeshrink.catalog.targets import load_target
from edgeshrink.catalog.texts import evaluation_text
from edgeshrink.core.lock import LOCK_NAME, LOCK_SCHEMA, Lock, LockedModel, LockedRequest
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.core.report import Report, SourceSummary
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.core.values import first_wrong
from edgeshrink.engine.installed import STANDS_ON, versions
from edgeshrink.engine.opened import given_name
from edgeshrink.engine.output import folder_name
from edgeshrink.errors import DataError, UsageError
from edgeshrink.planning.requested import asked_for
from edgeshrink.store.digests import file_sha256

_HINT = "build once without --locked to write a new lock, or restore what it pins"


def lock_of(
    request: Request, report: Report, target: Target, profile: DeviceProfile, *, adapter_weights: tuple[str, ...] = ()
) -> Lock:
    """All pins of the finished build that `report` tells. Paths are named by their last part: a lock may travel.
    `adapter_weights`: what adapters update, where there are any."""
    source = report.source
    assert source is not None
    student = None if report.shrinkage is None else report.shrinkage.student
    matrix = _file(request.imatrix)
    data = {"evaluation text": evaluation_text().sha256}
    if report.compression and report.compression.calibration_sha256:
        data["calibration"] = report.compression.calibration_sha256
    if matrix:
        data["importance matrix"] = file_sha256(matrix)
    for adapter in report.adapters:
        data |= {f"{_GIVEN}{adapter.name}": adapter.given_sha256, f"file {adapter.file}": adapter.sha256}
    return Lock(
        schema=LOCK_SCHEMA,
        model=LockedModel(
            given=None if request.model is None else source.given,
            hub_id=source.hub_id,
            revision=source.revision,
            digest=source.digest,
            student=None if student is None else student.digest,
        ),
        request=LockedRequest(
            target=report.target,
            profile=report.profile,
            format=report.artifact.format,
            scheme=report.artifact.scheme,
            delegate=request.delegate or "",
            context=report.context,
            imatrix=matrix.name if matrix else request.imatrix,
            tensor_types=request.tensor_types,
            expert_types=request.expert_types,
            calibration=None if request.calibration is None else request.calibration.name,
            adapter_weights=adapter_weights if report.artifact.format in _FIXED_GRAPHS else (),
        ),
        data=data,
        definitions=definitions(target, profile),
        versions=tool_versions(report.artifact.format),
        artifact_sha256=report.artifact.sha256,
        artifact_bytes=report.artifact.nbytes,
    )


def definitions(target: Target, profile: DeviceProfile) -> dict[str, str]:
    """Digests of the target and the device profile as they were read; this machine's own profile is probed anew."""
    found = {f"target {target.id}": _digest(target.model_dump(mode="json", exclude_defaults=True))}
    if profile.id != THIS_MACHINE:
        found[f"profile {profile.id}"] = _digest(profile.model_dump(mode="json", exclude_defaults=True))
    return found


def tool_versions(format: str) -> dict[str, str]:
    """Versions of what had a hand in an artifact of `format`; of Python its minor version."""
    installed = versions()
    kept = {name: found for name, found in installed.items() if name in (*_ALWAYS, *STANDS_ON[format])}
    return {**kept, "python": ".".join(platform.python_version_tuple()[:2])}


def read_lock(path: Path) -> Lock:
    """DataError where there is none, or where it is not one of ours."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"there is no {path}", hint="a build writes one into its folder") from error
    except ValidationError as error:
        raise DataError(f"{path} is no {LOCK_NAME}: {first_wrong(error)}", hint=_HINT) from error


def lock_text(lock: Lock) -> str:
    return json.dumps(_ADAPTER.dump_python(lock, mode="json"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def locked(request: Request) -> tuple[Request, Lock | None]:
    """With `locked`, the request as the lock pins it, and the lock; else the request as it is.

    UsageError where it asks for something else, DataError where there is no lock.
    """
    if not request.locked:
        return request, None
    out = request.out or Path("edgeshrink-out") / folder_name(request, given_name(request))
    lock = read_lock(request.lock or out / LOCK_NAME)
    return pinned(replace(request, out=out), lock), lock


def pinned(request: Request, lock: Lock) -> Request:
    """The request with what the lock decided; UsageError where it asks for something else."""
    wanted = lock.request
    if lock.model.student is not None:
        raise UsageError(
            "that build trained a smaller model, which no other machine trains to the same bytes",
            hint="build the folder `student` that it left, with --scheme: that build has a lock of its own",
        )
    for flag, given, locked in (
        ("--target", request.target, wanted.target),
        ("--profile", request.profile, wanted.profile),
        ("--format", request.format, wanted.format),
        ("--delegate", request.delegate, wanted.delegate),
        ("--context", request.context, wanted.context),
        ("--tensor-type", request.tensor_types, wanted.tensor_types),
        ("--expert-types", request.expert_types != "mix" and request.expert_types, wanted.expert_types),
        ("--revision", request.revision, lock.model.revision),
    ):
        if given and given != locked:
            raise UsageError(f"{flag} is {_told(given)}, and the lock says {_told(locked)}", hint=_HINT)
    _refuse_other_adapters(request, lock)
    asked = asked_for(request, wanted.format)
    if asked is not None and wanted.scheme.lower() not in _meant(asked, wanted):
        raise UsageError(f"--scheme is {_told(asked)}, and the lock says {_told(wanted.scheme)}", hint=_HINT)
    return replace(
        request,
        target=wanted.target,
        profile=wanted.profile,
        format=wanted.format,
        scheme=wanted.scheme,
        delegate=wanted.delegate or None,
        context=wanted.context or None,
        tensor_types=wanted.tensor_types,
        expert_types=wanted.expert_types,
        revision=lock.model.revision if lock.model.hub_id else None,
    )


def early_pins(source: SourceSummary, format: str, target: Target, profile: DeviceProfile) -> dict[str, str]:
    """What is known before any work."""
    return {
        "model digest": source.digest,
        **{f"digest of {name}": digest for name, digest in definitions(target, profile).items()},
        **{f"version of {name}": version for name, version in tool_versions(format).items()},
    }


def pins(lock: Lock) -> dict[str, str]:
    """The lock as names and values, to be compared."""
    return {
        "model digest": lock.model.digest,
        **{f"digest of {name}": digest for name, digest in lock.definitions.items()},
        **{f"version of {name}": version for name, version in lock.versions.items()},
        **{f"digest of the {name}": digest for name, digest in lock.data.items()},
        "imatrix": lock.request.imatrix,
        "scheme": lock.request.scheme,
        "artifact": lock.artifact_sha256,
    }


def drift(lock: Lock, now: Mapping[str, str]) -> tuple[str, ...]:
    """What of `now` is not as the lock pins it, one sentence each."""
    locked = pins(lock)
    return tuple(
        f"{name} is {value}, locked: {locked.get(name, 'absent')}"
        for name, value in now.items()
        if locked.get(name) != value
    )


def refuse_drift(lock: Lock, now: Mapping[str, str]) -> None:
    """DataError that names everything that is not as it is pinned."""
    if found := drift(lock, now):
        raise DataError("this is not what the lock pins: " + "; ".join(found), hint=_HINT)


def _refuse_other_adapters(request: Request, lock: Lock) -> None:
    """Adapters are inputs that a lock pins and does not carry."""
    pinned = sorted(name.removeprefix(_GIVEN) for name in lock.data if name.startswith(_GIVEN))
    if len(pinned) != len(request.adapters):
        raise UsageError(
            f"--adapter names {len(request.adapters)} adapters, and the lock pins {', '.join(pinned) or 'none'}",
            hint="name the folder of each: --adapter",
        )


_ADAPTER: TypeAdapter[Lock] = TypeAdapter(Lock)
_GIVEN = "adapter "
_FIXED_GRAPHS = ("onnx",)
"""Formats whose artifact has places for updates, or has none."""
_ALWAYS = ("edgeshrink", "numpy", "tokenizers", "sentencepiece", "safetensors")


def _file(imatrix: str) -> Path | None:
    return None if imatrix in ("default", "auto", "none") else Path(imatrix)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _meant(asked: str, wanted: LockedRequest) -> set[str]:
    """All that `asked` can mean to the locked target: a width is another scheme for networks."""
    formats = load_target(wanted.target).formats
    if wanted.format not in formats:
        return {asked.lower()}
    entry = formats[wanted.format]
    widths = [entry.aliases, *([entry.networks.aliases] if entry.networks else [])]
    return {asked.lower(), *(names[width].lower() for names in widths for width in names if width == asked.lower())}


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{pattern}={kind}" for pattern, kind in value) or "nothing"
    return str(value or "nothing")
