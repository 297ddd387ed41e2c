"""The state of a run between its steps and the points of its curve, on disk. No torch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgeshrink.catalog.json_files import read_json
from edgeshrink.compress.training.order import TrainingOrder, objective_settings_of
from edgeshrink.core.training import HeldOutPoint, Point, TextSource, TrainingRecord, TrainingSettings, settings_json
from edgeshrink.errors import DataError

SCHEMA = "edgeshrink-training-1"
RUN_FILE = "run.json"
LOG_FILE = "log.jsonl"
DONE = "all planned steps are done"


@dataclass(slots=True)
class Pending:
    """What has been added up since the last point of the curve."""

    sums: dict[str, float] = field(default_factory=dict)
    weight: float = 0.0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Run:
    """Where a run is. `step`: how many are done; `planned` None: minutes that are no number of steps yet. `seconds`
    are those of the steps alone. `micro_rows` stays while the number of workers does: it decides the last bit.
    `looked`: the step of the last held-out look. `timed`: seconds of each of the first steps, until they
    say how many steps the minutes are."""

    step: int = 0
    planned: int | None = None
    tokens: int = 0
    seconds: float = 0.0
    resumed: int = 0
    workers: int = 1
    micro_rows: int = 0
    device: str = ""
    looked: int = -1
    notes: list[str] = field(default_factory=list)
    pending: Pending = field(default_factory=Pending)
    timed: list[float] = field(default_factory=list)


def run_json(run: Run, order: TrainingOrder, sources: tuple[TextSource, ...]) -> dict[str, Any]:
    """All that a record needs but the curve."""
    return {
        "schema": SCHEMA,
        "run": asdict(run),
        "settings": settings_json(order.settings),
        "objective": settings_json(order.objective_settings),
        "sources": [asdict(source) for source in sources],
    }


def write_run(folder: Path, data: Mapping[str, Any]) -> None:
    """`run_json` in `folder`, and on the disk when this returns."""
    with (folder / RUN_FILE).open("w", encoding="utf-8") as file:
        file.write(json.dumps(data, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_run(folder: Path) -> dict[str, Any]:
    """What `write_run` wrote. DataError where it is none."""
    data = read_json(folder / RUN_FILE)
    if data.get("schema") != SCHEMA:
        raise DataError(f"{folder / RUN_FILE}: schema is {data.get('schema')!r}, expected {SCHEMA!r}")
    return data


def run_of(data: Mapping[str, Any]) -> Run:
    """Where the run is that `data`, a `run_json`, tells of."""
    run = data["run"]
    return Run(**{**run, "pending": Pending(**run["pending"])})


def record_of(data: Mapping[str, Any], points: tuple[Point, ...], held_out: tuple[HeldOutPoint, ...]) -> TrainingRecord:
    """A `run_json` and its curve as the value that everybody else reads."""
    run = run_of(data)
    return TrainingRecord(
        objective=objective_settings_of(data["objective"]),
        settings=TrainingSettings(**data["settings"]),
        planned_steps=run.planned or 0,
        steps=run.step,
        tokens=run.tokens,
        seconds=run.seconds,
        tokens_s=run.tokens / run.seconds if run.seconds else 0.0,
        workers=run.workers,
        device=run.device,
        resumed=run.resumed,
        sources=tuple(TextSource(**source) for source in data["sources"]),
        points=points,
        held_out=held_out,
        stopped=DONE if run.step == run.planned else "",
        notes=tuple(run.notes),
    )


def read_record(state: Path) -> TrainingRecord:
    """The record of the run whose `state` folder that is."""
    return record_of(read_run(state), *read_log(state / LOG_FILE))


Entry = Point | HeldOutPoint


def entry_json(entry: Entry) -> dict[str, Any]:
    """One line of the log."""
    return {"point" if isinstance(entry, Point) else "held_out": asdict(entry)}


def entry_of(data: Mapping[str, Any]) -> Entry:
    """`entry_json` read back."""
    if "held_out" in data:
        return HeldOutPoint(**data["held_out"])
    parts = tuple((str(name), float(value)) for name, value in data["point"]["parts"])
    return Point(**{**data["point"], "parts": parts})


def append_entry(file: Path, entry: Entry) -> None:
    """Onto the end of the log."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry_json(entry)) + "\n")


def read_log(file: Path) -> tuple[tuple[Point, ...], tuple[HeldOutPoint, ...]]:
    """All whole lines of the log: a run that was killed may have left half a one."""
    entries = _entries(file)
    return (
        tuple(entry for entry in entries if isinstance(entry, Point)),
        tuple(entry for entry in entries if isinstance(entry, HeldOutPoint)),
    )


def rewind(source: Path, file: Path, step: int) -> None:
    """The log in `source` up to `step` as `file`; what a killed run told of later steps is forgotten."""
    kept = [entry for entry in _entries(source) if entry.step <= step]
    aside = file.with_name(f"{file.name}.part")
    aside.write_text("".join(json.dumps(entry_json(entry)) + "\n" for entry in kept), encoding="utf-8")
    aside.replace(file)


def _entries(file: Path) -> list[Entry]:
    if not file.is_file():
        return []
    with file.open("rb") as lines:
        return [entry for line in lines if (entry := _entry(line)) is not None]


def _entry(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return entry_of(json.loads(line))
    except (ValueError, KeyError, TypeError):
        return None
