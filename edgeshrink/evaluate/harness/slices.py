"""A task's samples of both models, paired: scores of the slice lm-eval/TASK, a group's tasks being its parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgeshrink.core.plain import plain
from edgeshrink.errors import DataError
from edgeshrink.evaluate.harness.samples import Sample, TaskFacts, read_facts, read_samples
from edgeshrink.evaluate.slices.interface import MetricFacts, Score, Shown, SliceFacts


def slice_name(task: str) -> str:
    """Of a task's name, or of the path of its file."""
    return f"lm-eval/{Path(task).stem if task.endswith(('.yaml', '.yml')) else task}"


def harness_slices(task: str, reference: Path, candidate: Path) -> tuple[tuple[SliceFacts, ...], Iterator[Score]]:
    """The slice of a task, and one score for each document and filter in both files. DataError where they are not of
    the same documents."""
    facts = read_facts(reference)
    metrics: dict[str, MetricFacts] = {}
    for one in facts:
        for name, higher in one.metrics:
            share = all(name in other.shares for other in facts if name in dict(other.metrics))
            kind = MetricFacts(name, "share" if share else "mean", "share" if share else _unit(name))
            metrics.setdefault(name, kind if higher else MetricFacts(name, kind.kind, kind.unit, "lower"))
    ordered = tuple(metrics.values())
    if not ordered:
        raise DataError(f"the task {task} has no metric of single samples", hint="choose another of lm-eval's tasks")
    title = f"lm-evaluation-harness: {plain(Path(task).stem)}"
    chance = _chance(facts) if ordered[0].kind == "share" else None
    return (SliceFacts(slice_name(task), title, ordered, chance),), _scores(task, facts, reference, candidate)


def _chance(facts: tuple[TaskFacts, ...]) -> float:
    samples = sum(one.samples for one in facts)
    return sum(one.chance * one.samples for one in facts) / samples if samples else 0.0


def _unit(name: str) -> str:
    return {"bits_per_byte": "bits/byte", "negative log-likelihood": "nats"}.get(name, "points")


def _scores(task: str, facts: tuple[TaskFacts, ...], reference: Path, candidate: Path) -> Iterator[Score]:
    for one, other in zip(read_samples(reference), read_samples(candidate), strict=True):
        if (one.task, one.document, one.filter) != (other.task, other.document, other.filter):
            raise DataError(f"{candidate} has other samples than {reference}", hint="run the suite again")
        yield _score(task, one, other, parts=(one.task,) if len(facts) > 1 else ())


def _score(task: str, one: Sample, other: Sample, *, parts: tuple[str, ...]) -> Score:
    named = "" if one.filter == "none" else f",{one.filter}"
    return Score(
        slice=slice_name(task),
        item=f"{one.task}-{one.document}{named}",
        values={name: (value, other.values[name]) for name, value in one.values.items() if name in other.values},
        shown=Shown(one.prompt, one.expected, one.said, other.said),
        parts=parts,
    )
