"""Probes, and answers to them, as JSON lines: one line an item.

Imported by every child that renders or answers, so nothing heavy is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError
from edgeshrink.evaluate.probes import Answer, Choose, Generate, Probe, Prompt

PROBES = "probes.jsonl"


def probe_json(probe: Probe) -> dict[str, Any]:
    return asdict(probe)


def read_probe(value: Mapping[str, Any]) -> Probe:
    """What `probe_json` made, after JSON made lists of its tuples."""
    prompt = Prompt(
        messages=tuple(value["prompt"]["messages"]), text=value["prompt"]["text"], tools=tuple(value["prompt"]["tools"])
    )
    if value["kind"] == "choose":
        return Choose(prompt, tuple(value["options"]))
    return Generate(prompt, value["max_tokens"], tuple(value["stop"]), value["temperature"], value["seed"])


def probes_line(identity: str, probes: Sequence[Probe]) -> str:
    return json.dumps({"id": identity, "probes": [probe_json(probe) for probe in probes]}) + "\n"


def answers_line(identity: str, answers: Sequence[Answer]) -> str:
    return json.dumps({"id": identity, "answers": [asdict(answer) for answer in answers]}, allow_nan=False) + "\n"


def read_probes(file: Path) -> Iterator[tuple[str, tuple[Probe, ...]]]:
    """(id, probes) of each item; DataError names the line that is none."""
    for _, value in json_lines(file, "probes"):
        yield value["id"], tuple(map(read_probe, value["probes"]))


def json_lines(file: Path, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    raise broken_line(file, number, error) from error
    except OSError as error:
        raise DataError(f"{file}: no {what} can be read: {error.strerror}", hint="run the suite again") from error


def broken_line(file: Path, number: int, error: Exception) -> DataError:
    return DataError(f"{file}, line {number}: {type(error).__name__}: {error}", hint="run the suite again")
