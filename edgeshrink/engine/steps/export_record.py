"""What an export took, kept beside its artifact."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.values import from_json, to_json

RECORD = "export.json"


def write_record(workdir: Path, times: ExportTimes) -> None:
    (workdir / RECORD).write_text(to_json(times), encoding="utf-8")


def read_record(folder: Path) -> ExportTimes:
    return from_json(ExportTimes, folder / RECORD)
