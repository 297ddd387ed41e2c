"""What a task's samples came to: JSON lines, written by the child and read, two files side by side, by the parent."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeshrink.errors import DataError


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task, or one of a group's. `metrics`: (name, whether higher is better), the main one first. `chance`: of a
    multiple choice."""

    task: str
    version: str
    metrics: tuple[tuple[str, bool], ...]
    shares: tuple[str, ...]
    """Metrics that are 0 or 1 on every sample."""
    chance: float
    samples: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One document under one filter. `said`: of a multiple choice, the most probable option."""

    task: str
    document: int
    filter: str
    values: Mapping[str, float]
    prompt: str
    expected: str
    said: str


def write_line(value: TaskFacts | Sample) -> str:
    return json.dumps(asdict(value), allow_nan=False) + "\n"


def read_facts(file: Path) -> tuple[TaskFacts, ...]:
    """The tasks that `file` begins with."""
    return tuple(one for one in _read(file, until_samples=True) if isinstance(one, TaskFacts))


def read_samples(file: Path) -> Iterator[Sample]:
    return (one for one in _read(file, until_samples=False) if isinstance(one, Sample))


def _read(file: Path, *, until_samples: bool) -> Iterator[TaskFacts | Sample]:
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                value = json.loads(line)
                if "version" in value:
                    yield TaskFacts(
                        **{**value, "metrics": tuple(map(tuple, value["metrics"])), "shares": tuple(value["shares"])}
                    )
                elif until_samples:
                    return
                else:
                    yield Sample(**value)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{file} cannot be read: {error}", hint="run the suite again") from error


def per_sample(name: str, value: Any) -> tuple[str, float, bool | None] | None:
    """A metric of one sample as (name, number, whether higher is better where the harness's own word does not hold);
    None for what has no number of its own, such as a corpus's BLEU.

    (log-probability in nats, bytes) becomes bits a byte; the sample's part of a perplexity is its log-probability.
    """
    if name == "bits_per_byte" and isinstance(value, (tuple, list)) and len(value) == 2 and value[1]:
        return name, -float(value[0]) / (float(value[1]) * math.log(2)), False
    if name == "perplexity" and isinstance(value, (int, float)):
        return "negative log-likelihood", -float(value), False
    number = value.item() if hasattr(value, "item") and not isinstance(value, (bool, int, float)) else value
    if isinstance(number, (bool, int, float)) and math.isfinite(number):
        return name, float(number), None
    return None
