"""The section of `MODEL_CARD.md` on how the model itself was made smaller before it was quantized."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.shrinking import Shrinkage, ShrinkStep
from edgeshrink.report.format import DASH, duration, human_bytes, number, short_text
from edgeshrink.report.markdown import table, words
from edgeshrink.report.shrink_told import (
    axes_text,
    count_text,
    failures_text,
    fits_text,
    kept_mark,
    kept_text,
    objective_text,
    pruning_warnings,
    run_text,
    source_text,
)


def shrinkage_section(shrinkage: Shrinkage) -> Iterator[str]:
    """Lines of Markdown; everything from outside is escaped."""
    yield "## How the model was made smaller"
    yield ""
    if shrinkage.refusal:
        nearest = f" What would work: {words(shrinkage.nearest)}." if shrinkage.nearest else ""
        yield f"**Nothing smaller was made: {words(shrinkage.refusal)}.**{nearest}"
        yield ""
    if shrinkage.rungs:
        head = ("Step, as it would ship", "Weights", "File", "Took", "Mean KL", "Gates failed", "Score", "Fits", "Then")
        rows = [
            (
                words(f"{rung.title} at {rung.scheme}"),
                count_text(rung.parameters),
                human_bytes(rung.artifact_bytes),
                duration(rung.seconds),
                words(short_text(rung.mean_kl, "")),
                DASH if rung.gates_failed is None else f"{rung.gates_failed}",
                DASH if rung.score is None else number(rung.score),
                fits_text(rung.fits),
                words(f"{kept_mark(rung.kept)}: {rung.why}" if rung.why else kept_mark(rung.kept)),
            )
            for rung in shrinkage.rungs
        ]
        yield from table(head, rows)
        yield ""
    for step in shrinkage.steps:
        yield from _step(step)


def _step(step: ShrinkStep) -> Iterator[str]:
    judged = "" if step.kept is None else f" ({kept_mark(step.kept)})"
    yield f"- **{words(step.title)}**{judged}: {words(kept_text(step.before, step.after))}"
    for text in step_lines(step):
        yield f"  - {text}"


def step_lines(step: ShrinkStep) -> Iterator[str]:
    """What a step did, one escaped line a fact."""
    if step.pruning is not None:
        pruning = step.pruning
        cut = ": ".join(filter(None, (", ".join(pruning.methods), axes_text(pruning))))
        on = f"scored on {pruning.calibration}, {pruning.calibration_tokens:,} tokens"
        yield words(f"Pruned by {cut}; {on}")
        yield from (f"**{words(text[:1].upper() + text[1:])}**" for text in pruning_warnings(pruning))
    if step.training is not None:
        made = "Healed" if step.kind == "prune" else "Distilled"
        yield words(f"{made}: {objective_text(step.training.objective)}; {run_text(step.training)}")
        for source in step.training.sources:
            yield words(f"Trained on {source_text(source)}")
    if step.failures:
        text = failures_text(step.failures)
        yield words(text[:1].upper() + text[1:])
