"""Adapters that stand in the folder of a build already, and what becomes of them when it is built again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeshrink.core.plain import plain
from edgeshrink.core.report import Report
from edgeshrink.engine.adapters_opened import OpenAdapter
from edgeshrink.engine.device_sessions import Confirm
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import DataError, UsageError
from edgeshrink.report.json import report_from_json
from edgeshrink.report.manifest import REPORT_NAME


def report_there(folder: Path) -> Report | None:
    """The report in `folder`; None where there is none of this version."""
    try:
        return report_from_json((folder / REPORT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, DataError):
        return None


def base_of(report: Report) -> tuple[str, str]:
    """Digest and name of the weights that the artifact of `report` was made from: what its adapters belong to."""
    student = None if report.shrinkage is None else report.shrinkage.student
    if student is not None:
        return student.digest, student.name
    return ("", "") if report.source is None else (report.source.digest, report.source.given)


def ask_for_adapters(folder: Path, workshop: Workshop, given: Sequence[OpenAdapter], confirm: Confirm) -> None:
    """Ask before a build that replaces the one in `folder` takes away its adapters: those of another base are no longer
    valid, and of the same base those that were not named again. UsageError where the answer is no."""
    before = report_there(folder)
    lost = () if before is None else {one.name for one in before.adapters} - {one.adapter.name for one in given}
    if before is None or not lost:
        return
    names = plain(", ".join(sorted(lost)))
    digest, name = base_of(before)
    if digest != workshop.source_sha256:
        now = workshop.model.facts.source.given
        what = (
            f"{folder} has adapters of {plain(name)} ({digest[:12]}...), and this build is of {plain(now)} "
            f"({workshop.source_sha256[:12]}...): {names} would be invalid on it, and are removed"
        )
    else:
        what = f"{folder} has the adapters {names}, which no --adapter names again: they are removed"
    if not confirm(f"{what}; go on?"):
        raise UsageError(f"the build was not begun: {what}", hint="name another folder with -o, or --adapter again")
