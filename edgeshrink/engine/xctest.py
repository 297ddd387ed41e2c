"""iPhones and iPads, which no tool reaches from outside: `profile --xctest` writes a measuring test, `--import` reads
what it measured."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

import edgeshrink
from edgeshrink.bundle.measuring_package import MeasuringPlan, write_measuring_package
from edgeshrink.catalog.profiles import load_profiles
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.devices.matching import match
from edgeshrink.engine.artifacts import find_artifact, only_gguf
from edgeshrink.engine.measured_report import artifact_in_brief, report_of
from edgeshrink.engine.place import Place
from edgeshrink.engine.profile import context_of, find_measurable, found_profile
from edgeshrink.engine.sessions import session_lengths
from edgeshrink.engine.situation import find_device
from edgeshrink.errors import DataError, UsageError
from edgeshrink.measure.device.imported import LARGEST, read_result
from edgeshrink.measure.device.schedule import schedule
from edgeshrink.measure.prompts import shipped_text
from edgeshrink.measure.statistics import SAMPLES_NEEDED
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_sha256

TARGET = "apple-silicon"
_HINT = "a measuring test runs GGUF files"
_THREADS = 2
"""Performance cores of every iPhone so far."""


def export_xctest(artifact: Path, request: Request, folder: Path, *, listener: Listener = silent) -> Path:
    """Write the Swift package that measures the GGUF `artifact` for the profile of `request` into the new `folder`."""
    found = only_gguf(find_artifact(artifact), hint=_HINT)
    if folder.exists():
        raise UsageError(f"{folder} is there already", hint="name a folder that is not")
    if request.profile is None:
        ids = ", ".join(profile.id for profile in load_profiles() if profile.family == "apple")
        raise UsageError("--xctest has to know for which device", hint=f"add --profile, one of {ids}, or your own")
    target, profile, _ = find_device(request, None)
    context = context_of(request, found, target)
    lengths = request.session.prompt_tokens or session_lengths(profile.budget)
    timed = schedule(request.session, lengths, context)
    fast = profile.facts.performance_cores
    plan = MeasuringPlan(
        artifact_sha256=remembered_sha256(found.path, Store().notes, listener),
        build=f"xctest+{edgeshrink.__version__}",
        llama=version("llama-cpp-python"),
        context=context,
        threads=request.threads or (fast.value if fast else _THREADS),
        gpu_layers=request.gpu_layers,
        prompt_tokens=timed.lengths,
        first_repetitions=SAMPLES_NEEDED[95],
        depths=timed.depths,
        decode_tokens=timed.decode_tokens,
        repetitions=timed.repetitions,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        part = Path(scratch) / folder.name
        part.mkdir()
        write_measuring_package(part, found.path, plan, shipped_text(max(*timed.lengths, *timed.depths, 32)))
        part.rename(folder)
    return folder


def profile_imported(artifact: Path, request: Request, result: Path, *, listener: Listener = silent) -> Report:
    """Judge what the XCTest of `artifact` measured; what it was to time, its record says.

    DataError where `result` is no such file, or of another model.
    """
    found = only_gguf(find_measurable(artifact, request), hint=_HINT)
    target, profile, _ = find_device(request, None)
    if not result.is_file():
        raise DataError(f"there is no {result}", hint="it is the file that the XCTest attached to its report")
    if result.stat().st_size > LARGEST:
        raise DataError(f"{result} is larger than {LARGEST >> 20} MiB: no measuring test writes so much")
    sha256 = remembered_sha256(found.path, Store().notes, listener)
    measured = read_result(result, sha256=sha256, nbytes=found.path.stat().st_size)
    assert measured.device is not None
    target, profile = found_profile(request, target, profile, measured.device)
    place = Place(profile, match(measured.device, profile), where=measured.device.address, anyway=request.judge_anyway)
    told = artifact_in_brief(found, sha256)
    return report_of(request, target, place, told, measured, delegate="cpu", network=False, steps=())
