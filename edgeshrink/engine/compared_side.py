"""What `compare` is given: an artifact, a build's folder, or a report, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.compared import ComparedSide
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.engine.artifacts import Found, find_artifact
from edgeshrink.engine.measured_report import artifact_in_brief
from edgeshrink.errors import DataError, UsageError
from edgeshrink.report.json import report_from_json
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_tree_sha256

REPORT = "report.json"
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Given:
    """`found`: the artifact itself, where it is at hand; `report`: what was found out about exactly this artifact."""

    told: ComparedSide
    found: Found | None
    report: Report | None
    notes: tuple[str, ...] = ()

    @property
    def behaviour(self) -> Behaviour | None:
        return None if self.report is None else self.report.behaviour

    @property
    def network(self) -> bool:
        """Whether it generates no text, as far as that is known."""
        if self.found is not None:
            return self.found.network
        return self.report is not None and isinstance(self.report.quality, NetworkQuality)

    @property
    def measurements(self) -> Measurements | Unmeasured:
        if self.report is None:
            return Unmeasured("there is no report of it")
        return self.report.measurements or Unmeasured("its report has no session")


def given(path: Path, store: Store, listener: Listener = silent) -> Given:
    """UsageError or DataError where `path` is neither an artifact nor a report."""
    if path.suffix.lower() == ".json" and path.is_file():
        return _of_report(read_report(path), None)
    report = read_report(path / REPORT) if (path / REPORT).is_file() else None
    try:
        found = find_artifact(path)
    except UsageError:
        if report is None:
            raise
        return _of_report(report, None)
    sha256 = remembered_tree_sha256(found.path, store.notes, listener)
    if report is not None and report.artifact.sha256 == sha256:
        return _of_report(report, found)
    brief = artifact_in_brief(found, sha256)
    told = ComparedSide(brief.file, brief.format, brief.scheme, sha256, brief.nbytes, from_report=False)
    stale = (f"{path / REPORT} tells of another file: it is not used",) if report is not None else ()
    return Given(told, found, None, stale)


def read_report(path: Path) -> Report:
    """The report in the file `path`. DataError names it where it is none."""
    if not path.is_file():
        raise UsageError(f"there is no {path}", hint="name a report.json")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path} is too large for a report", hint="name a report.json")
    try:
        return report_from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text", hint="name a report.json") from error
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error


def apart(a: ComparedSide, b: ComparedSide) -> tuple[ComparedSide, ComparedSide]:
    """Both, with names that differ."""
    if a.name != b.name:
        return a, b
    return replace(a, name=f"{a.name} (A)"), replace(b, name=f"{b.name} (B)")


def _of_report(report: Report, found: Found | None) -> Given:
    artifact = report.artifact
    told = ComparedSide(
        artifact.file, artifact.format, artifact.scheme, artifact.sha256, artifact.nbytes, from_report=True
    )
    return Given(told, found, report)
