"""The examination of a base and an adapter as they run together, against both in full precision."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from edgeshrink.catalog.texts import Text
from edgeshrink.core.adapter import Adapter
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quality import Quality
from edgeshrink.evaluate.checks.backend import check_backend
from edgeshrink.evaluate.checks.logits import check_finite, check_sense, check_source, check_steps, source_opening
from edgeshrink.evaluate.distribution import readings, score
from edgeshrink.evaluate.reference import Reference
from edgeshrink.evaluate.subject import Subject


def evaluate_pair(
    subject: Subject,
    *,
    facts: ModelFacts,
    adapter: Adapter,
    reference: Reference,
    text: Text,
    folder: Path,
    context: int,
    threads: int,
    listener: Listener = silent,
) -> Quality:
    """Examine `subject`, a finished artifact with its adapter's file, on `text`; scratch files go to `folder`.

    `reference` is what the unquantized base of `facts` said with the same `adapter` beside it; it is itself held
    against the source in numpy. A check that does not hold is in the result and raises nothing. RuntimeFailed where the
    runtime refuses one of the two.
    """
    scored = score(
        subject,
        text,
        folder,
        reference=reference,
        weights=0,
        context=min(context, facts.context_length),
        threads=threads,
        listener=listener,
    )
    figures = readings(scored)
    source = _source_opening(facts, adapter, tuple(scored.windows.ids[0][: len(scored.opening)]))
    checks = (
        check_backend(subject.delegate, scored.backend),
        check_finite(scored),
        check_source("reference is source and adapter", reference.weights, reference.opening(), source),
        check_steps("mixed", scored.steps),
        check_sense(figures, scored.vocab_size),
    )
    return Quality(
        reference=reference.name,
        text=text.name,
        text_sha256=text.sha256,
        tokens=len(scored.distances.nll),
        checks=checks,
        **{part.name: getattr(figures, part.name) for part in fields(figures)},
    )


def _source_opening(facts: ModelFacts, adapter: Adapter, tokens: tuple[int, ...]) -> Floats | str:
    if not adapter.updates:
        return "the adapter's folder is not at hand: its updates are not computed in numpy"
    return source_opening(facts, tokens, adapter)
