"""The whole examination of a finished artifact: what must hold, and how far it stands from the unquantized model.

Nothing here knows a format: the artifact is opened in its runtime, and what only its format can be asked comes in as
`own_checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.evaluate.checks.backend import check_backend
from edgeshrink.evaluate.checks.logits import check_finite, check_sense, check_source, check_steps, source_opening
from edgeshrink.evaluate.checks.text import check_text
from edgeshrink.evaluate.distribution import readings, score
from edgeshrink.evaluate.reference import Reference, matrix_elements, weight_type
from edgeshrink.evaluate.subject import Subject


def evaluate_artifact(
    artifact: Path,
    *,
    runtime: str,
    delegate: str,
    own_checks: tuple[Check, ...],
    tensors: Sequence[TensorPlan],
    facts: ModelFacts,
    vocabulary: Vocabulary,
    reference: Reference | Unmeasured,
    text: Text,
    folder: Path,
    context: int,
    threads: int,
    listener: Listener = silent,
) -> Quality:
    """Examine `artifact` (a file or a folder), built by the plan `tensors` from `facts`, on `text`.

    `own_checks` are those that the format brings along, and stand first in the result; `delegate` is the backend asked
    for on this machine; scratch files go to `folder`. Everything that runs the artifact does so in child processes, in
    the most precise arithmetic of `runtime`. A check that does not hold is in the result and raises nothing;
    RuntimeFailed where the runtime refuses the artifact altogether.
    """
    subject = Subject(artifact, runtime, delegate)
    checks: list[Check] = [*own_checks, *check_text(subject, facts, vocabulary, text)]
    stored = reference if isinstance(reference, Reference) else None
    scored = score(
        subject,
        text,
        folder,
        reference=stored,
        weights=matrix_elements(tensor.shape for tensor in tensors),
        context=min(context, facts.context_length),
        threads=threads,
        listener=listener,
    )
    figures = readings(scored, reference if isinstance(reference, Unmeasured) else None)
    checks += [check_backend(delegate, scored.backend), check_finite(scored)]
    source = source_opening(facts, tuple(scored.windows.ids[0][: len(scored.opening)]))
    if stored is not None:
        checks.append(check_source("reference is the source", stored.weights, stored.opening(), source))
    kind = weight_type((tensor.shape, tensor.type) for tensor in tensors)
    if stored is None or kind != "mixed":
        checks.append(check_source("logits are the source's", kind, scored.opening, source))
    checks += [check_steps(kind, scored.steps), check_sense(figures, scored.vocab_size)]
    return Quality(
        reference=stored.name if stored is not None else "none",
        text=text.name,
        text_sha256=text.sha256,
        tokens=len(scored.distances.nll),
        checks=tuple(checks),
        **{part.name: getattr(figures, part.name) for part in fields(figures)},
    )
