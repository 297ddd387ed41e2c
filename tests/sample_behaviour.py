"""A Behaviour as a suite would leave it: every name of a slice, unclear and unmeasured ones, hostile text. Seeded."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from edgeshrink.core.attribution import Attribution, Source
from edgeshrink.core.behaviour import (
    BEHAVIOUR_SCHEMA,
    Behaviour,
    Confidence,
    Metric,
    Part,
    Slice,
    Specimen,
)
from edgeshrink.core.fallback import Fallback, FallbackFit, Operating
from edgeshrink.core.reading import Measured, Reading, Unmeasured

CONFIDENCE = Confidence(familywise=0.05, slices=24, looks=3)
WIDER = 3.4 / 1.96
"""`Confidence.each` of these is 99.93 %: its interval is that much wider than the one of 95 %."""
CANNOT = "the reference cannot do this: 22.0 % (15.0 to 31.0) where guessing scores 12.5 %"
HOSTILE = "<script>alert('worst')</script> \x1b[31mred\x1b[0m \u202egnp.exe & \"quoted\" <img src=x onerror=alert(1)>"
MARKUP = "[bold red]not a style[/bold red] | a cell | `code` \x07 ](http://example.org)"

# name, title, items, chance, reference, loss, half of the loss's 95 % interval
_SHARES: tuple[tuple[str, str, int, float | None, float, float, float], ...] = (
    ("long-context/recall", "A fact told once is found again", 120, 0.0, 0.958, 0.033, 0.041),
    ("long-context/constraint", "A constraint stated once still rules", 80, 0.0, 0.925, 0.238, 0.092),
    ("long-context/grounding", "Answers from the passage, not the distractor", 90, 0.5, 0.944, 0.011, 0.022),
    ("tools/decision", "To call a tool, or to answer", 200, 0.5, 0.985, 0.010, 0.019),
    ("tools/json", "Calls are valid JSON of the tool's schema", 100, 0.0, 0.990, 0.0, 0.012),
    ("tools/function", "The right function is called", 100, 0.25, 0.970, 0.010, 0.028),
    ("tools/arguments", "The right arguments are given", 100, 0.0, 0.930, 0.050, 0.048),
    ("calibration/answers", "Confidence of answers", 600, None, 0.021, 0.034, 0.011),
    ("stability/flips", "Answers that flipped", 600, None, 0.940, 0.071, 0.021),
    ("stability/prompts", "Harmless changes of the prompt", 120, None, 0.917, 0.025, 0.045),
    ("stability/repetition", "Repetition in free generation", 60, None, 0.040, 0.006, 0.024),
    ("arithmetic", "Sums", 200, 0.0, 0.985, 0.425, 0.068),
    ("refusal", "Refuses what the reference refuses", 80, 0.5, 0.975, -0.012, 0.025),
    ("format/stop", "A stop token ends the text", 150, 0.0, 1.0, 0.0, 0.008),
    ("format/template", "The chat template is obeyed", 150, 0.0, 0.993, 0.007, 0.013),
    ("bfcl/simple_python", "BFCL simple_python", 400, 0.0, 0.742, 0.060, 0.029),
    ("own/support", "Your own: support.jsonl", 50, None, 0.820, -0.040, 0.066),
    ("lm-eval/demo_task", "lm-evaluation-harness: demo_task", 100, 0.25, 0.610, 0.020, 0.055),
)
_TEXTS = (
    ("general", "General text", 0.031, 0.943, 1.004),
    ("code", "Code", 0.048, 0.951, 1.011),
    ("digits", "Tables, dates and digits", 0.192, 0.871, 1.083),
    ("en", "English", 0.029, 0.949, 1.003),
    ("de", "German", 0.061, 0.921, 1.017),
    ("es", "Spanish", 0.055, 0.926, 1.014),
    ("fr", "French", 0.052, 0.929, 1.013),
    ("it", "Italian", 0.118, 0.893, 1.046),
)


def sample_behaviour() -> Behaviour:
    """Of a file that broke sums and constraints, and nothing else beyond doubt."""
    random = Random("sample behaviour")
    slices = (*(_text(*row) for row in _TEXTS), _drift(), *(_task(*row, random) for row in _SHARES), _next_token())
    slices += (_beyond(),)
    return Behaviour(
        schema=BEHAVIOUR_SCHEMA,
        suite="standard",
        seed=20261122,
        reference="llama F32 (unquantized) in llama.cpp",
        looks=2,
        items=3270,
        tokens=32768,
        confidence=CONFIDENCE,
        slices=slices,
        reference_bytes_per_token=Measured(1180.4, 32768, how="files of the stored reference / scored positions"),
        together=(("arithmetic", "text/digits"), ("long-context/constraint", "stability/flips", "text/it")),
        attributions=_attributions(),
        fallback=_fallback(),
        notes=("text/it: the text has 3,900 tokens, 4,096 were asked for.", f"hostile note {HOSTILE}"),
    )


def sample_calm_behaviour() -> Behaviour:
    """The same suite on a file that lost nothing: no slice moved, nothing to attribute, no fallback."""
    behaviour = sample_behaviour()
    return replace(
        behaviour,
        suite="quick",
        looks=1,
        slices=tuple(_calmed(one) for one in behaviour.slices),
        together=(),
        attributions=Unmeasured("no slice lost more than noise explains"),
        fallback=Unmeasured("40 answers are too few to guarantee a risk of 5.0 % at 95 %"),
        notes=(),
    )


def sample_bare_behaviour() -> Behaviour:
    """Of a suite of one slice: what a user's own file of questions gives."""
    behaviour = sample_behaviour()
    own = behaviour.slice("own/support")
    assert own is not None
    return replace(
        sample_calm_behaviour(),
        suite="support.jsonl",
        items=own.items,
        tokens=0,
        confidence=Confidence(familywise=0.05, slices=1, looks=1),
        slices=(own,),
        reference_bytes_per_token=Unmeasured("no text was read"),
    )


def _measured(value: float, half: float, n: int, *, least: float = -math.inf, most: float = math.inf) -> Measured:
    return Measured(value, n, max(least, value - half), min(most, value + half), "95 % interval")


def _loss(value: float, half: float, n: int) -> tuple[Measured, tuple[float, float]]:
    return _measured(value, half, n), (value - WIDER * half, value + WIDER * half)


def _distance(name: str, unit: str, value: float, half: float, n: int) -> Metric:
    """Its own loss: the reference has none of it."""
    loss, bounds = _loss(value, half, n)
    return Metric(name, unit, "lower", Unmeasured("a distance to the reference"), loss, loss, bounds)


def _figure(name: str, unit: str, value: float) -> Metric:
    """A distance without an interval."""
    at = Measured(value, 4096)
    return Metric(name, unit, "lower", Unmeasured("a distance to the reference"), at, at)


def _paired(name: str, better: str, reference: float, loss: float, half: float, n: int, unit: str = "share") -> Metric:
    sign = -1 if better == "higher" else 1
    spread = 1.96 * math.sqrt(max(reference * (1 - reference), 0.005) / n)
    candidate = min(1.0, max(0.0, reference + sign * loss))
    lost, bounds = _loss(loss, half, n)
    return Metric(
        name,
        unit,
        "higher" if better == "higher" else "lower",
        _measured(reference, spread, n, least=0, most=1),
        _measured(candidate, spread, n, least=0, most=1),
        lost,
        bounds,
    )


def _text(label: str, title: str, kl: float, same_top: float, ratio: float) -> Slice:
    metrics = (
        _distance("mean KL", "nats", kl, 0.06 * kl, 4096),
        _figure("median KL", "nats", 0.4 * kl),
        _figure("p99 KL", "nats", 9 * kl),
        _figure("max KL", "nats", 41 * kl),
        replace(
            _distance("same top", "share", 1 - same_top, 0.008, 4096),
            better="higher",
            candidate=_measured(same_top, 0.008, 4096),
        ),
        replace(
            _distance("perplexity ratio", "x", ratio - 1, 0.004, 4096),
            candidate=_measured(ratio, 0.004, 4096),
        ),
    )
    return Slice(f"text/{label}", title, 4096, None, metrics)


def _drift() -> Slice:
    growth = _distance("KL growth", "nats", 0.043, 0.019, 4096)
    parts = tuple(
        Part(name, 1024, _distance("mean KL", "nats", kl, 0.006, 1024))
        for name, kl in (
            ("positions 128-223", 0.030),
            ("positions 224-319", 0.034),
            ("positions 320-415", 0.051),
            ("positions 416-511", 0.073),
        )
    )
    return Slice("long-context/drift", "Distance along the position", 4096, None, (growth,), parts)


def _task(
    name: str, title: str, items: int, chance: float | None, reference: float, loss: float, half: float, random: Random
) -> Slice:
    metrics: tuple[Metric, ...]
    if name == "calibration/answers":
        metrics = (
            _paired("calibration error", "lower", reference, loss, half, items),
            _paired("Brier", "lower", 0.048, 0.029, 0.014, items, "score"),
            _paired("over-confidence", "lower", 0.014, 0.037, 0.015, items),
        )
    elif name == "stability/flips":
        metrics = (
            _paired("right", "higher", reference, loss, half, items),
            _figure("right to wrong", "answers", 51),
            _figure("wrong to right", "answers", 8),
            _figure("McNemar p", "", 6.1e-9),
        )
    elif name == "stability/prompts":
        metrics = (_paired("agreement", "higher", reference, loss, half, items),)
    elif name == "stability/repetition":
        metrics = (
            _paired("repeated 4-grams", "lower", reference, loss, half, items),
            _paired("loops", "lower", 0.0, 0.017, 0.032, items),
        )
    else:
        metrics = (_paired("right", "higher", reference, loss, half, items),)
    notes = ("2 rounds: the first did not decide the gate.",) if name == "tools/arguments" else ()
    worst = _specimens(name, random) if loss > 0 else ()
    return Slice(name, title, items, chance, metrics, _parts(name, reference, loss), worst, notes)


def _parts(name: str, reference: float, loss: float) -> tuple[Part, ...]:
    named = {
        "long-context/recall": tuple(
            f"depth {depth}, {length} tokens"
            for length in (128, 256, 448)
            for depth in ("0-33 %", "33-67 %", "67-100 %")
        ),
        "long-context/constraint": ("after 2 turns", "after 4 turns", "after 8 turns"),
        "tools/decision": ("1 tool offered", "4 tools offered", "8 tools offered"),
        "arithmetic": ("no carry", "one carry", "two carries"),
    }.get(name, ())
    count = len(named)
    return tuple(
        Part(one, 40, _paired("right", "higher", reference, 2 * loss * at / max(count - 1, 1), 0.11, 40))
        for at, one in enumerate(named)
    )


def _specimens(name: str, random: Random) -> tuple[Specimen, ...]:
    if name == "arithmetic":
        sums = [(random.randrange(10, 90), random.randrange(10, 90)) for _ in range(3)]
        return tuple(
            Specimen(f"arithmetic-{at}", f"{a}+{b}=", str(a + b), str(a + b), str(a + b - 10), 1.0)
            for at, (a, b) in enumerate(sums)
        )
    if name == "long-context/constraint":
        return (
            Specimen("constraint-0", HOSTILE, "an answer with no <b>markup</b>", MARKUP, HOSTILE, 1.0),
            Specimen("constraint-1", "line one\nline two\n" + "a very long prompt " * 120, "", "ok", "", 1.0),
        )
    return (Specimen(f"{name}-0", "Hi", "Hello", "Hello", "Helo", 1.0),)


def _next_token() -> Slice:
    metrics = (
        _paired("calibration error", "lower", 0.018, 0.006, 0.007, 32768),
        _paired("Brier", "lower", 0.412, 0.011, 0.004, 32768, "score"),
        _paired("over-confidence", "lower", 0.004, 0.008, 0.005, 32768),
    )
    return Slice("calibration/next-token", "Confidence of the next token", 32768, None, metrics)


def _beyond() -> Slice:
    """What the reference cannot do: its own figure stands, nothing is said of the candidate."""
    reference = Measured(0.22, 100, 0.15, 0.31, "95 % interval (Wilson)")
    why = Unmeasured(CANNOT)
    metrics = (Metric("right", "share", "higher", reference, why, why),)
    return Slice("bfcl/irrelevance", "BFCL irrelevance", 100, 0.125, metrics)


def _source(group: str, tensors: tuple[str, ...], returned: Reading, extra: int) -> Source:
    return Source(group, tensors, returned, "F16", extra)


def _attributions() -> tuple[Attribution, ...]:
    down = ("blk.3.ffn_down.weight",)
    return (
        Attribution(
            "arithmetic",
            "right",
            Measured(0.425, 200, 0.357, 0.493, "95 % interval"),
            (
                _source("blk.3", (*down, "blk.3.ffn_up.weight"), Measured(0.88, 200, 0.74, 1.01, "95 %"), 1_310_720),
                _source("blk.3.ffn_down", down, Measured(0.71, 200, 0.55, 0.86, "95 %"), 524_288),
                _source("ffn_down", down, Measured(0.64, 200, 0.48, 0.80, "95 %"), 2_621_440),
                _source("blk.4", ("blk.4.attn_k.weight",), Measured(0.06, 200, -0.04, 0.15, "95 %"), 1_310_720),
                _source("blk.0", ("blk.0.attn_k.weight",), Measured(-0.03, 200, -0.14, 0.08, "95 %"), 1_310_720),
                _source("token_embd", ("token_embd.weight",), Unmeasured("its type cannot be put back"), 0),
            ),
        ),
        Attribution(
            "long-context/constraint",
            "right",
            Measured(0.238, 80, 0.146, 0.330, "95 % interval"),
            (
                _source(
                    "attn_k",
                    tuple(f"blk.{at}.attn_k.weight" for at in range(5)),
                    Measured(0.58, 80, 0.22, 0.93, "95 %"),
                    655_360,
                ),
                _source("blk.1.attn_k", ("blk.1.attn_k.weight",), Measured(0.53, 80, 0.18, 0.88, "95 %"), 131_072),
            ),
        ),
        Attribution("stability/flips", "right", Measured(0.071, 600, 0.05, 0.092, "95 % interval"), ()),
    )


def _fallback() -> FallbackFit:
    curve = tuple(
        Operating(at / 20, coverage=round(1 - 0.75 * (at / 20) ** 2, 4), risk=round(0.13 * (1 - at / 20) ** 2, 4))
        for at in range(20)
    )
    return FallbackFit(
        Fallback(threshold=0.62, temperature=1.414214, risk=0.021, coverage=0.712, curve=curve),
        stated_risk=0.05,
        guarantee=0.95,
        fitted_on=300,
        checked_on=300,
        checked_risk=Measured(0.028, 211, 0.012, 0.058, "95 % interval (Clopper-Pearson)"),
        checked_coverage=Measured(0.703, 300, 0.649, 0.752, "95 % interval (Wilson)"),
        kept=True,
    )


def _calmed(one: Slice) -> Slice:
    metrics = tuple(_nothing_lost(metric) for metric in one.metrics)
    parts = tuple(replace(part, metric=_nothing_lost(part.metric)) for part in one.parts)
    return replace(one, metrics=metrics, parts=parts, worst=(), notes=())


def _nothing_lost(metric: Metric) -> Metric:
    """A hundredth of a distance; of a paired figure no loss, at half the interval."""
    loss = metric.loss
    if isinstance(loss, Unmeasured):
        return metric
    if isinstance(metric.reference, Unmeasured):
        low, high = (None if end is None else end / 100 for end in (loss.low, loss.high))
        small = Measured(loss.value / 100, loss.n, low, high)
        bounds = metric.bounds and (metric.bounds[0] / 100, metric.bounds[1] / 100)
        candidate = metric.candidate
        if isinstance(candidate, Measured) and candidate != loss:
            best = 1.0
            candidate = _measured(best - (best - candidate.value) / 100, 0.0001, candidate.n)
            return replace(metric, candidate=candidate, loss=small, bounds=bounds)
        return replace(metric, candidate=small, loss=small, bounds=bounds)
    half = 0.25 * ((loss.high or 0.0) - (loss.low or 0.0))
    lost, bounds = _loss(0.0, half, loss.n)
    return replace(metric, candidate=metric.reference, loss=lost, bounds=bounds)
