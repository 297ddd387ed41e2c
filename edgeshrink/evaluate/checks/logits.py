"""What the file says of the next token: finite, the source's own, and no gibberish."""

from __future__ import annotations

import numpy as np

from edgeshrink.core.adapter import Adapter
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quality import Check
from edgeshrink.core.reading import Measured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.distribution import Readings, Score
from edgeshrink.evaluate.source_forward import source_logits, too_costly
from edgeshrink.evaluate.statistics import Doubles, kl_divergence, log_softmax

FEWEST_TOKENS = 8
F32_TOLERANCE = 1e-3
_F32_RELATIVE = 3e-5  # of the largest logit: float32 sums in another order; decides beyond logits of 33
# Mean KL to the source, nats. llama.cpp rounds activations to the weights' own type, so an exact F16 or BF16 file
# is not exact in its logits: measured 1e-6 (F16) and 1e-4 (BF16).
_KL_TOLERANCE = {"F16": 1e-3, "BF16": 1e-2}
# Root mean square of the difference between the two ways, over that of the logits, each row around its mean. Kernels
# for one row and for many sum in another order; activations that are rounded to 8 bits or to the weights' type then
# fall on another side here and there. Measured: F32 4e-7, F16 1e-4, BF16 1e-3, 4 to 8 bits up to 8e-3; a cache that
# has lost one token comes to 0.03 to 0.7, and to more than 0.1 in 14 of 16 trials.
STEP_TOLERANCE = {"F32": 1e-4, "F16": 1e-2, "BF16": 3e-2, "mixed": 0.1}
GIBBERISH_KL = 2.0
GIBBERISH_RATIO = 4.0


def source_opening(facts: ModelFacts, tokens: tuple[int, ...], adapter: Adapter | None = None) -> Floats | str:
    """The source's logits, computed in numpy, for as many of `tokens` as may be afforded; or why for none. With the
    updates of `adapter` beside its weights, where there is one."""
    count = len(tokens)
    reason = too_costly(facts, count)
    while reason is not None and count // 2 >= FEWEST_TOKENS:
        count //= 2
        reason = too_costly(facts, count)
    if reason is not None:
        return reason
    try:
        return source_logits(facts, tokens[:count], adapter)
    except (DataError, KeyError, ValueError) as error:
        return f"the source cannot be run in numpy: {error}"


def check_finite(score: Score) -> Check:
    """Every logit that was looked at is a number."""
    distances = score.distances
    values: list[Doubles | Floats] = [score.opening.ravel(), distances.nll, distances.kl, distances.difference]
    wrong = int((~np.isfinite(np.concatenate(values))).sum())
    if wrong:
        return Check("finite logits", "failed", f"{wrong} figures are not finite: the file computes nonsense")
    return Check("finite logits", "ok", f"over {score.windows.tokens} tokens")


def check_source(name: str, weights: str, opening: Floats, source: Floats | str) -> Check:
    """Logits of a file whose matrices are all `weights` (F32, F16, BF16; else "mixed") against the source's own."""
    if isinstance(source, str):
        return Check(name, "skipped", source)
    own = opening[: len(source)]
    with np.errstate(all="ignore"):
        difference = float(np.abs(own.astype(np.float64) - source).max())
        kl = float(kl_divergence(log_softmax(source), log_softmax(own)).mean())
    if weights == "F32":
        allowed = max(F32_TOLERANCE, _F32_RELATIVE * float(np.abs(source).max()))
        holds = difference <= allowed
        detail = f"largest difference {difference:.2g} over {len(source)} tokens, at most {allowed:.2g} allowed"
    else:
        tolerance = _KL_TOLERANCE.get(weights, GIBBERISH_KL)
        holds = kl <= tolerance
        detail = f"mean KL {kl:.2g} over {len(source)} tokens, at most {tolerance:g} allowed"
    return Check(name, "ok" if holds else "failed", f"{detail}, against the source computed in numpy")


def check_steps(weights: str, steps: Floats) -> Check:
    """Logits (2, positions, vocabulary): of text prefilled at once, and of the same decoded one by one.

    `weights` as for `check_source`. A cache that keeps the wrong positions, or a mask that is wrong in one of the two
    ways, shows here and nowhere in a text that is read in one way only.
    """
    name = "prefill and decode agree"
    with np.errstate(all="ignore"):
        at_once, one_by_one = (rows - rows.mean(axis=-1, keepdims=True) for rows in steps.astype(np.float64))
        relative = float(np.linalg.norm(at_once - one_by_one) / np.linalg.norm(at_once))
    allowed = STEP_TOLERANCE.get(weights, STEP_TOLERANCE["mixed"])
    detail = (
        f"relative difference {relative:.2g} of the logits at {steps.shape[1]} positions, at most {allowed:g} allowed"
    )
    return Check(name, "ok" if relative <= allowed else "failed", detail)


def check_sense(readings: Readings, vocab_size: int) -> Check:
    """Fails where the file has lost the reference's language altogether; small losses are the budget's business."""
    name = "no gibberish"
    own, ratio, kl = readings.perplexity, readings.perplexity_ratio, readings.mean_kl
    if not isinstance(own, Measured):
        return Check(name, "failed", f"its perplexity cannot be computed: {own.reason}")
    if isinstance(ratio, Measured) and isinstance(kl, Measured):
        holds = ratio.value <= GIBBERISH_RATIO and kl.value <= GIBBERISH_KL
        detail = (
            f"perplexity {ratio.value:.3g} times the reference's (at most {GIBBERISH_RATIO:g}),"
            f" mean KL {kl.value:.3g} nats (at most {GIBBERISH_KL:g})"
        )
        return Check(name, "ok" if holds else "failed", detail)
    holds = own.value <= vocab_size / 2
    detail = f"perplexity {own.value:.4g} in a vocabulary of {vocab_size}, at most half of it allowed; no reference"
    return Check(name, "ok" if holds else "failed", detail)
