"""The whole examination of a finished GGUF: what must hold, and how far it stands from the unquantized model."""

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
from edgeshrink.evaluate.checks.logits import check_finite, check_sense, check_source, source_opening
from edgeshrink.evaluate.checks.tensors import check_tensors, check_weights
from edgeshrink.evaluate.checks.text import check_text
from edgeshrink.evaluate.distribution import readings, score
from edgeshrink.evaluate.reference import Reference, weight_type


def evaluate_artifact(
    artifact: Path,
    *,
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
    """Examine `artifact`, built by the plan `tensors` from `facts`, on `text`; scratch files go to `folder`.

    Everything that runs the file does so in child processes with KV cache F32 and flash attention off. A check that
    does not hold is in the result and raises nothing; RuntimeFailed where the runtime refuses the file altogether.
    """
    checks: list[Check] = [check_tensors(artifact, tensors), check_weights(artifact, tensors, facts)]
    checks += check_text(artifact, facts, vocabulary, text)
    stored = reference if isinstance(reference, Reference) else None
    scored = score(artifact, text, folder, reference=stored, context=context, threads=threads, listener=listener)
    figures = readings(scored, reference if isinstance(reference, Unmeasured) else None)
    checks.append(check_finite(scored))
    source = source_opening(facts, scored.windows.ids[0][: len(scored.opening)])
    if stored is not None:
        checks.append(check_source("reference is the source", stored.weights, stored.opening(), source))
    kind = weight_type((tensor.shape, tensor.type) for tensor in tensors)
    if stored is None or kind != "mixed":
        checks.append(check_source("logits are the source's", kind, scored.opening, source))
    checks.append(check_sense(figures, scored.vocab_size))
    return Quality(
        reference=stored.name if stored is not None else "none",
        text=text.name,
        text_sha256=text.sha256,
        tokens=len(scored.distances.nll),
        checks=tuple(checks),
        **{part.name: getattr(figures, part.name) for part in fields(figures)},
    )
