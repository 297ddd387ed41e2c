"""What an export took and said, kept beside its artifact."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.values import from_json, to_json

RECORD = "export.json"
LOG = "export.log"


def write_record(workdir: Path, times: ExportTimes) -> None:
    (workdir / RECORD).write_text(to_json(times), encoding="utf-8")


def read_record(folder: Path) -> ExportTimes:
    return from_json(ExportTimes, folder / RECORD)


def keep_log(log: Path, workdir: Path) -> None:
    """What the libraries said goes into the result; of a step that fails it stays where it was written."""
    if log.is_file():
        shutil.move(log, workdir / LOG)
