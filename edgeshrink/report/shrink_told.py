"""A smaller model in words that the terminal, the pages and the cards share: what was cut, trained, paid, and lost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from edgeshrink.core.shrinking import Learnt, ModelBrief, PruningTold, Shrinkage, ShrinkStep, SliceFailures
from edgeshrink.core.training import ObjectiveSettings, TextSource, TrainingRecord
from edgeshrink.report.format import human, human_bytes, listed, number, plain

NO_FASTER = "it will not run faster: zeros are stored and multiplied like every other weight, whatever the runtime"
_SILENT = ("", "unknown", "none")
_NAMES = 6
_AXES = {
    "layers": "layers",
    "hidden": "hidden width",
    "ffn": "feed-forward width",
    "heads": "attention heads",
    "kv_heads": "key-value heads",
    "experts": "experts a layer",
    "expert_ffn": "width of an expert",
}
_DIVERGENCES = {
    "forward": "forward KL to the teacher",
    "reverse": "reverse KL to the teacher",
    "skew-forward": "skewed forward KL to the teacher",
    "skew-reverse": "skewed reverse KL to the teacher",
    "jsd": "Jensen-Shannon divergence to the teacher",
}


def count_text(count: int) -> str:
    """`4.98 M`: how many parameters, in a cell."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * size:
            return f"{number(count / size)} {unit}"
    return f"{count}"


def parameters_text(count: int) -> str:
    """`4.98 M parameters`."""
    return f"{count_text(count)} {'parameter' if count == 1 else 'parameters'}"


def brief_text(brief: ModelBrief) -> str:
    """`acme/demo-5M: llama, 4.98 M parameters, 9.51 MiB`, and how many of its weights are zeros."""
    zeros = f", {human(brief.zeros, 'share')} of them zeros" if brief.zeros else ""
    parts = f"{brief.model_type}, {parameters_text(brief.parameters)}{zeros}, {human_bytes(brief.nbytes)}"
    return f"{plain(brief.name)}: {plain(parts)}"


def kept_text(before: ModelBrief, after: ModelBrief) -> str:
    """`4.98 M to 3.35 M parameters, 67.1 %`; `3.35 M parameters, as before`."""
    if before.parameters == after.parameters or not before.parameters:
        zeros = f", {human(after.zeros, 'share')} of them zeros" if after.zeros else ""
        return f"{parameters_text(after.parameters)}, as before{zeros}"
    share = human(after.parameters / before.parameters, "share")
    return f"{count_text(before.parameters)} to {parameters_text(after.parameters)}, {share}"


def shape_text(brief: ModelBrief) -> str:
    """`5 layers, 256 wide, feed-forward 768, 4 heads of 64 with 2 key-value heads`."""
    shape = brief.shape
    return (
        f"{shape.layers} {'layer' if shape.layers == 1 else 'layers'}, {shape.hidden:,} wide, "
        f"feed-forward {shape.ffn:,}, {shape.heads} {'head' if shape.heads == 1 else 'heads'} of {shape.head_dim} "
        f"with {shape.kv_heads} key-value {'head' if shape.kv_heads == 1 else 'heads'}"
    )


def axis_text(name: str) -> str:
    """What people call an axis of a shape."""
    return _AXES.get(name, plain(name))


def axes_text(pruning: PruningTold) -> str:
    """`layers 5 to 4, feed-forward width 768 to 512`; "" where no width changed."""
    return ", ".join(f"{axis_text(name)} {before:,} to {after:,}" for name, before, after in pruning.axes)


def pruning_warnings(pruning: PruningTold) -> tuple[str, ...]:
    """What a person must know before trusting in speed."""
    found = [pruning.warning] if pruning.warning else []
    if not pruning.runtime_faster and not pruning.warning:
        found.append(NO_FASTER)
    return tuple(map(plain, found))


def objective_text(objective: ObjectiveSettings) -> str:
    """`forward KL to the teacher at temperature 2, with 10.0 % cross-entropy of the text`."""
    if objective.kind == "sequence":
        return "cross-entropy of texts that the teacher wrote"
    if objective.kind == "text":
        return "cross-entropy of the given text"
    if objective.kind == "preference":
        anchor = f", and {number(objective.anchor)} times the forward KL to it" if objective.anchor else ""
        return f"{objective.preference_loss.upper()} (beta {objective.beta:g}) of pairs against the teacher{anchor}"
    text = _DIVERGENCES[objective.divergence]
    if objective.divergence.startswith("skew"):
        text += f" (skew {number(objective.skew)})"
    elif objective.divergence == "jsd":
        text += f" (weight {number(objective.skew)})"
    if objective.temperature != 1.0:
        text += f" at temperature {objective.temperature:g}"
    if objective.cross_entropy:
        text += f", with {human(objective.cross_entropy, 'share')} cross-entropy of the text"
    if objective.kind == "grid":
        text += ", of weights rounded as the file has them"
    if objective.kind == "tool-policy":
        text += f", and cross-entropy at the tokens that decide, {objective.decision_weight} times as heavy"
    if objective.kind == "hidden":
        more = " and attention relations" if objective.relations else ""
        text += f", and hidden states{more} of mapped layers with weight {objective.hidden_weight:g}"
    if objective.on_policy:
        text += f", {human(objective.on_policy, 'share')} of the steps on text that the student writes"
    return text


def cache_text(record: TrainingRecord) -> str:
    """`from a cache of the teacher, 98 bytes a token`; "" where the teacher ran beside the student."""
    if not record.objective.cached:
        return ""
    nbytes = record.cache_bytes_per_token
    return "from a cache of the teacher" + (f", {number(nbytes)} bytes a token" if nbytes is not None else "")


def run_text(record: TrainingRecord) -> str:
    """`240 of 240 steps, 983,040 tokens, 5,850 tokens/s, on cpu, resumed once`."""
    steps = f"{record.steps:,} of {record.planned_steps:,} steps" if record.planned_steps else f"{record.steps:,} steps"
    workers = f" with {record.workers} workers" if record.workers > 1 else ""
    parts = [steps, f"{record.tokens:,} tokens", f"{number(record.tokens_s)} tokens/s", f"on {record.device}{workers}"]
    if record.resumed:
        parts.append("resumed once" if record.resumed == 1 else f"resumed {record.resumed} times")
    return plain(", ".join(parts))


def held_out_text(record: TrainingRecord) -> str:
    """`held-out loss 0.098, was 2.2; cross-entropy 2.61 nats a token, 0.902 bits per byte`; "" where none was taken."""
    if not record.held_out:
        return ""
    first, last = record.held_out[0], record.held_out[-1]
    was = f", was {number(first.objective)} at step {first.step:,}" if last is not first else ""
    bits = f", {number(last.bits_per_byte)} bits per byte" if last.bits_per_byte is not None else ""
    return f"held-out loss {number(last.objective)}{was}; cross-entropy {number(last.cross_entropy)} nats a token{bits}"


def source_text(source: TextSource) -> str:
    """`books/german.txt: 412 documents, 301,877 tokens, 1.15 MiB, licence cc0-1.0`."""
    documents = f"{source.documents:,} {'document' if source.documents == 1 else 'documents'}"
    licence = f"licence {source.license}" if source.license else "no licence stated"
    return plain(f"{source.name}: {documents}, {source.tokens:,} tokens, {human_bytes(source.nbytes)}, {licence}")


def command_text(step: ShrinkStep) -> str:
    """`edgeshrink prune ...` as it was typed; "" where none was."""
    words = step.command if step.command[:1] == ("edgeshrink",) else ("edgeshrink", *step.command)
    return plain(shlex.join(words)) if step.command else ""


def licensed_parts(step: ShrinkStep) -> tuple[tuple[str, str], ...]:
    """Whose licences hold for what a step made, as (name, licence; "" where none is stated): the model that was
    changed, the teacher where it is another one, and every text that was trained on."""
    models = (step.before,) if step.teacher.digest == step.before.digest else (step.teacher, step.before)
    parts = [(f"the model {brief.name}", brief.license) for brief in models]
    parts += [
        (f"the data {source.name}", source.license) for source in (step.training.sources if step.training else ())
    ]
    return tuple((name, "" if (stated or "").strip().lower() in _SILENT else stated or "") for name, stated in parts)


def unlicensed_text(step: ShrinkStep) -> str:
    """`No licence is stated for the data notes.jsonl: ...`; "" where all have one."""
    names = [plain(name) for name, stated in licensed_parts(step) if not stated]
    if not names:
        return ""
    named = listed(names, most=_NAMES, more="texts")
    return f"No licence is stated for {named}: pass this model on only if you hold the rights to it"


def failures_text(failures: Sequence[SliceFailures]) -> str:
    """`of 570 items 9 are failed as by the teacher, 40 are lost, 6 are new`."""
    items, inherited, lost, new = (
        sum(getattr(one, name) for one in failures) for name in ("items", "inherited", "lost", "new")
    )
    return f"of {items:,} items both fail {inherited:,}, the student lost {lost:,}, and {new:,} only it can do"


def most_lost(failures: Sequence[SliceFailures]) -> tuple[SliceFailures, ...]:
    """The slices where something moved, by the share of their items that was lost; what did not move is left out."""
    told = [one for one in failures if one.inherited or one.lost or one.new]
    return tuple(sorted(told, key=lambda one: (-one.lost / max(one.items, 1), -one.lost, one.slice)))


def kept_mark(kept: bool | None) -> str:
    """One word of a step; nobody has to have judged it."""
    return {True: "kept", False: "refused", None: "not judged"}[kept]


def fits_text(fits: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[fits]


def shipped_rung(shrinkage: Shrinkage) -> int | None:
    """The row that ships: the last one, where it was kept and nothing was refused. Rows before it may have been kept
    only to go on from there."""
    if shrinkage.refusal or not shrinkage.rungs or not shrinkage.rungs[-1].kept:
        return None
    return len(shrinkage.rungs) - 1


def step_facts(step: ShrinkStep) -> Iterator[tuple[str, str]]:
    """Everything short that is known of a step, as names and texts."""
    yield "From", brief_text(step.before)
    yield "To", brief_text(step.after)
    yield "Size", kept_text(step.before, step.after)
    yield "Shape", shape_text(step.after)
    if step.teacher.digest != step.before.digest:
        yield "Teacher", brief_text(step.teacher)
    if step.pruning is not None:
        yield from _pruning_facts(step.pruning)
    if step.training is not None:
        yield from training_facts(step.training)
    for one in step.learnt:
        yield plain(one.name[:1].upper() + one.name[1:]), learnt_text(one)


def learnt_text(learnt: Learnt) -> str:
    """`31 -> 4 of 200 (15.5 % -> 2.0 %; teacher 3): ...`."""
    if not learnt.items:
        return f"no held-out items: {plain(learnt.what)}"
    shares = f"{human(learnt.before / learnt.items, 'share')} -> {human(learnt.after / learnt.items, 'share')}"
    teacher = "" if learnt.teacher is None else f"; the teacher {learnt.teacher:,}"
    counts = f"{learnt.before:,} -> {learnt.after:,} of {learnt.items:,} ({shares}{teacher})"
    return f"{counts}: {plain(learnt.what)}"


def training_facts(record: TrainingRecord) -> Iterator[tuple[str, str]]:
    """What was minimized, how long, and where it ended."""
    yield "Objective", objective_text(record.objective)
    if told := cache_text(record):
        yield "Teacher's part", told
    yield "Run", run_text(record)
    settings = record.settings
    rate = "" if settings.rate is None else f", rate {settings.rate:g}"
    yield "Settings", f"{settings.optimizer}{rate}, {settings.batch_tokens:,} tokens a step, seed {settings.seed}"
    if told := held_out_text(record):
        yield "Held-out text", told
    if record.stopped:
        yield "Ended", plain(record.stopped)


def _pruning_facts(pruning: PruningTold) -> Iterator[tuple[str, str]]:
    yield "Methods", plain(", ".join(pruning.methods))
    if axes := axes_text(pruning):
        yield "Cut", axes
    yield "Why this", plain(pruning.why)
    yield "Scored on", plain(f"{pruning.calibration}, {pruning.calibration_tokens:,} tokens")
