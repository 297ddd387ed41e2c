"""A step of making a model smaller, and the table of all of them, on the terminal, whole at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.shrinking import PruningTold, Shrinkage, ShrinkRung, ShrinkStep, SliceFailures
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.behaviour_terminal import render_behaviour
from edgeshrink.report.format import DASH, duration, human, human_bytes, number, plain, rough_duration, short_text
from edgeshrink.report.pieces import facts_grid, item, table
from edgeshrink.report.shrink_told import (
    axes_text,
    count_text,
    failures_text,
    fits_text,
    kept_mark,
    kept_text,
    most_lost,
    pruning_warnings,
    run_text,
    step_facts,
    unlicensed_text,
)

_STYLES = {True: "green", False: "yellow", None: ""}
_SLICES = 8


def render_step(step: ShrinkStep, verdict: Verdict | None = None) -> RenderableType:
    """What one step made, what it cost, and what the suite says of it; `verdict` brings the lines of its gates."""
    parts: list[RenderableType] = [_title(step)]
    facts = facts_grid()
    for name, text in step_facts(step):
        facts.add_row(name.lower(), Text(text))
    facts.add_row("took", Text(duration(step.seconds)))
    parts.append(Padding(facts, (0, 0, 0, 2)))
    if step.pruning is not None:
        parts += [item("!", text, "bold yellow") for text in pruning_warnings(step.pruning)]
    if step.training is not None:
        parts += [item("!", note, "yellow") for note in step.training.notes]
    parts += [item("!", note, "yellow") for note in step.notes]
    if told := unlicensed_text(step):
        parts.append(item("!", told, "yellow"))
    if step.pruning is not None:
        parts += _considered(step.pruning)
    if step.stages:
        parts += [Text(), *_rungs(step.stages)]
    if step.failures:
        parts += [Text(), *_failures(step.failures)]
    if step.behaviour is not None:
        parts += [Text(), render_behaviour(step.behaviour, verdict, brief=True)]
    return Group(*parts)


def render_shrinkage(shrinkage: Shrinkage) -> RenderableType:
    """The table of steps as they would ship, what each was, and why nothing smaller could be made, if so."""
    parts: list[RenderableType] = [Text("Making the model smaller", style="bold")]
    if shrinkage.refusal:
        parts.append(item("✗", f"Refused: {shrinkage.refusal}", "bold red"))
    if shrinkage.nearest:
        parts.append(item("-", f"What would work: {shrinkage.nearest}", "bold"))
    if shrinkage.rungs:
        parts += [Text(), *_rungs(shrinkage.rungs)]
    for step in shrinkage.steps:
        parts += _brief(step)
    return Group(*parts)


def _title(step: ShrinkStep) -> Text:
    title = Text(overflow="fold")
    title.append(plain(step.title), "bold")
    if step.kept is not None:
        title.append(f"  {kept_mark(step.kept)}", _STYLES[step.kept])
    if step.why:
        title.append(f": {plain(step.why)}")
    return title


def _considered(pruning: PruningTold) -> Iterator[RenderableType]:
    """The shapes that were measured before one was taken, with their distance before any healing."""
    if not pruning.considered:
        return
    rows = table()
    rows.add_column("shape considered", overflow="fold")
    rows.add_column("keeps", justify="right", no_wrap=True)
    rows.add_column("mean KL, unhealed", justify="right", no_wrap=True)
    for words, share, distance in pruning.considered:
        rows.add_row(Text(plain(words)), human(share, "share"), human(distance, "nats"))
    yield Text()
    yield rows


def _failures(failures: Sequence[SliceFailures]) -> Iterator[RenderableType]:
    head = Text("Failures beside the teacher's", style="bold")
    head.append(f": {failures_text(failures)}", "not bold")
    yield head
    shown = most_lost(failures)
    if not shown:
        return
    rows = table()
    rows.add_column("slice", overflow="fold")
    for name in ("items", "inherited", "lost", "new"):
        rows.add_column(name, justify="right", no_wrap=True)
    for one in shown[:_SLICES]:
        lost = Text(f"{one.lost:,}", style="red" if one.lost else "")
        rows.add_row(Text(plain(one.slice)), f"{one.items:,}", f"{one.inherited:,}", lost, f"{one.new:,}")
    yield rows
    if len(shown) > _SLICES:
        rest = len(shown) - _SLICES
        yield item("-", f"{rest} more {'slice' if rest == 1 else 'slices'} moved", "dim")


def _rungs(rungs: Sequence[ShrinkRung]) -> Iterator[RenderableType]:
    """Figures in a table; below it, by the same numbers, what was decided and why."""
    rows = table(0)
    rows.add_column("", no_wrap=True)
    rows.add_column("step", overflow="fold", min_width=16)
    for name in ("weights", "file", "took", "mean KL", "fails", "score"):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("fits", no_wrap=True)
    for index, rung in enumerate(rungs, 1):
        rows.add_row(
            f"{index}",
            Text.assemble(plain(rung.title), (f" {plain(rung.scheme)}", "dim")),
            count_text(rung.parameters),
            human_bytes(rung.artifact_bytes),
            rough_duration(rung.seconds),
            short_text(rung.mean_kl, ""),
            DASH if rung.gates_failed is None else f"{rung.gates_failed}",
            DASH if rung.score is None else number(rung.score),
            fits_text(rung.fits),
        )
    yield rows
    for index, rung in enumerate(rungs, 1):
        yield item(f"{index}", f"{kept_mark(rung.kept)}{f': {rung.why}' if rung.why else ''}", _STYLES[rung.kept])
        if isinstance(rung.mean_kl, Unmeasured):
            yield item(" ", f"no mean KL: {rung.mean_kl.reason}", "dim")


def _brief(step: ShrinkStep) -> Iterator[RenderableType]:
    yield Text()
    yield _title(step)
    yield item("-", kept_text(step.before, step.after), "")
    if step.pruning is not None:
        told = ", ".join(filter(None, (", ".join(step.pruning.methods), axes_text(step.pruning))))
        yield item("-", told, "")
        yield from (item("!", text, "bold yellow") for text in pruning_warnings(step.pruning))
    if step.training is not None:
        yield item("-", run_text(step.training), "")
    if step.failures:
        yield item("-", failures_text(step.failures), "")
