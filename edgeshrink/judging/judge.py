"""One line per limit of the budget. A reading that was not taken gives UNKNOWN, never PASS."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.budget import Budget
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import Predictions
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Prediction, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine


def judge(
    budget: Budget,
    *,
    artifact_bytes: int,
    measurements: Measurements | Unmeasured,
    quality: Quality | Unmeasured,
    predictions: Predictions | None,
) -> Verdict:
    """Judge one artifact. `measurements` Unmeasured: the figures of another device are not this host's to give."""
    lines = (
        check_line(quality),
        *distance_lines(budget, quality),
        *device_lines(budget, artifact_bytes, measurements, predictions),
    )
    return Verdict(overall(tuple(line.outcome for line in lines)), lines)


def overall(outcomes: tuple[Outcome, ...]) -> Outcome:
    """FAIL if one failed, else UNKNOWN if one is unknown (or there is none), else PASS."""
    if "FAIL" in outcomes:
        return "FAIL"
    return "PASS" if outcomes and "UNKNOWN" not in outcomes else "UNKNOWN"


def check_line(quality: Quality | Unmeasured) -> VerdictLine:
    """The finished file must be its source: one failed check fails the build, whatever the budget says."""
    if isinstance(quality, Unmeasured):
        return _line("same as the source", "failed checks", 0, quality, None)
    failed = quality.failed_checks
    how = f"{sum(check.outcome == 'ok' for check in quality.checks)} checks on the finished file held"
    if failed:
        how = "; ".join(f"{check.name}: {check.detail}" for check in failed)
    return _line("same as the source", "failed checks", 0, Measured(float(len(failed)), how=how), None)


def distance_lines(budget: Budget, quality: Quality | Unmeasured) -> tuple[VerdictLine, ...]:
    """The quality floor: what more bits per weight can mend."""
    floor = budget.quality

    def reading(name: str) -> Reading:
        return quality if isinstance(quality, Unmeasured) else getattr(quality, name)

    lines = []
    if floor.mean_kl_max is not None:
        lines.append(_line("mean KL to the reference", "nats", floor.mean_kl_max, reading("mean_kl"), None))
    if floor.same_top_share_min is not None:
        share = reading("same_top_share")
        lines.append(_line("same top token", "share", floor.same_top_share_min, share, None, at_least=True))
    if floor.perplexity_ratio_max is not None:
        lines.append(_line("perplexity ratio", "x", floor.perplexity_ratio_max, reading("perplexity_ratio"), None))
    return tuple(lines)


def device_lines(
    budget: Budget, artifact_bytes: int, measurements: Measurements | Unmeasured, predictions: Predictions | None
) -> Iterator[VerdictLine]:
    """Size, memory, speed and energy: size is the file's own, the rest is the device's to give."""

    def predicted(name: str) -> Prediction | None:
        return None if predictions is None else getattr(predictions, name)

    def reading(name: str) -> Reading:
        if isinstance(measurements, Unmeasured):
            return measurements
        holder = measurements.memory if name == "peak_rss_bytes" else measurements
        return getattr(holder, name)  # type: ignore[no-any-return]

    if (limit := budget.artifact_bytes_max) is not None:
        size = Measured(float(artifact_bytes), how="size of the finished file")
        yield _line("artifact size", "bytes", limit, size, predicted("artifact_bytes"))
    if (limit := budget.peak_rss_bytes_max) is not None:
        yield _line("peak RAM", "bytes", limit, reading("peak_rss_bytes"), predicted("peak_rss_bytes"))
    if (ttft := budget.ttft_p95_ms_max) is not None:
        name = f"TTFT p95 at {budget.ttft_prompt_tokens} tokens"
        yield _line(name, "ms", ttft, _ttft(budget.ttft_prompt_tokens, measurements), predicted("ttft_p95_ms"))
    if (speed := budget.decode_tok_s_min) is not None:
        yield _line("decode speed", "tok/s", speed, reading("decode_tok_s"), predicted("decode_tok_s"), at_least=True)
    if (pause := budget.inter_token_p99_ms_max) is not None:
        yield _line("inter-token p99", "ms", pause, reading("inter_token_p99_ms"), None)
    if (energy := budget.energy_mj_per_token_max) is not None:
        yield _line("energy per token", "mJ", energy, reading("energy_mj_per_token"), None)


def _ttft(prompt_tokens: int, measurements: Measurements | Unmeasured) -> Reading:
    if isinstance(measurements, Unmeasured):
        return measurements
    for point in measurements.prefill:
        if point.prompt_tokens == prompt_tokens:
            return point.ttft_p95_ms
    return Unmeasured(f"no session prefilled {prompt_tokens} tokens (context {measurements.runtime.context})")


def _line(
    name: str, unit: str, limit: float, reading: Reading, prediction: Prediction | None, *, at_least: bool = False
) -> VerdictLine:
    bound = float(limit)
    if isinstance(reading, Unmeasured):
        outcome: Outcome = "UNKNOWN"
        why = reading.reason
    else:
        good = reading.value >= bound if at_least else reading.value <= bound
        outcome = "PASS" if good else "FAIL"
        why = reading.how
    return VerdictLine(name, unit, ">=" if at_least else "<=", bound, reading, prediction, outcome, why)
