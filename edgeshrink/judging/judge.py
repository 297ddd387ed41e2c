"""One line per limit of the budget. A reading that was not taken gives UNKNOWN, never PASS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgeshrink.core.backends import backend_is
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import Budget
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.plan import Predictions
from edgeshrink.core.quality import NetworkQuality, Quality
from edgeshrink.core.reading import Measured, Prediction, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine
from edgeshrink.judging.behaviour import gate_lines
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.outcomes import overall as overall


def judge(
    budget: Budget,
    *,
    artifact_bytes: int,
    measurements: Measurements | Unmeasured,
    quality: Quality | NetworkQuality | Unmeasured,
    predictions: Predictions | None,
    delegate: str | None = None,
    network: bool = False,
    behaviour: Behaviour | Unmeasured | None = None,
    gains: Gains | None = None,
) -> Verdict:
    """Judge one artifact. `measurements` Unmeasured: the figures of another device are not this host's to give.

    `delegate`: the backend whose line is wanted; None where nothing ran it and nobody insisted on one. `network`: it
    generates no text. `behaviour`: what a suite found; None where none was asked for. `gains`: what exchange rates are
    paid with.
    """
    network = network or isinstance(quality, NetworkQuality)
    lines = (
        check_line(quality),
        *(() if delegate is None else (backend_line(delegate, measurements),)),
        *(output_lines(budget, quality) if network else distance_lines(budget, quality)),
        *(() if behaviour is None else gate_lines(budget.quality, behaviour, gains)),
        *device_lines(budget, artifact_bytes, measurements, predictions, network=network),
    )
    return Verdict(overall(tuple(line.outcome for line in lines)), lines)


def check_line(quality: Quality | NetworkQuality | Unmeasured) -> VerdictLine:
    """The finished file must be its source: one failed check fails the build, whatever the budget says."""
    if isinstance(quality, Unmeasured):
        return _line("same as the source", "failed checks", 0, quality, None)
    failed = quality.failed_checks
    how = f"{sum(check.outcome == 'ok' for check in quality.checks)} checks on the finished file held"
    if failed:
        how = "; ".join(f"{check.name}: {check.detail}" for check in failed)
    return _line("same as the source", "failed checks", 0, Measured(float(len(failed)), how=how), None)


def backend_line(delegate: str, measurements: Measurements | Unmeasured) -> VerdictLine:
    """What really computed must be what was asked for: a silent fallback to the CPU fails."""
    if isinstance(measurements, Unmeasured):
        return _line("backend", "as asked for", 1, measurements, None, at_least=True)
    ran = measurements.runtime.backend
    if ran == "unknown":
        unsaid = Unmeasured(f"{measurements.runtime.name} does not say what computed")
        return _line("backend", "as asked for", 1, unsaid, None, at_least=True)
    same = backend_is(delegate, ran)
    how = f"{delegate} was asked for, {ran} ran"
    return _line("backend", "as asked for", 1, Measured(float(same), how=how), None, at_least=True)


def output_lines(budget: Budget, quality: Quality | NetworkQuality | Unmeasured) -> tuple[VerdictLine, ...]:
    """The quality floor of a network: what keeping more layers in float can mend."""
    floor = budget.quality
    lines = []
    if floor.output_cosine_min is not None:
        cosine = quality.cosine_mean if isinstance(quality, NetworkQuality) else _unknown(quality)
        lines.append(_line("output cosine", "cosine", floor.output_cosine_min, cosine, None, at_least=True))
    scored = isinstance(quality, NetworkQuality) and not isinstance(quality.reference_score, Unmeasured)
    if floor.score_drop_max is not None and scored:
        lines.append(_line("score drop", "score", floor.score_drop_max, _score_drop(quality), None))
    return tuple(lines)


def _unknown(quality: Quality | Unmeasured) -> Unmeasured:
    return quality if isinstance(quality, Unmeasured) else Unmeasured("this is a language model")


def _score_drop(quality: Quality | NetworkQuality | Unmeasured) -> Reading:
    assert isinstance(quality, NetworkQuality)
    score, reference = quality.score, quality.reference_score
    for reading in (score, reference):
        if isinstance(reading, Unmeasured):
            return reading
    assert isinstance(score, Measured) and isinstance(reference, Measured)
    how = f"{score.value:.4f} against {reference.value:.4f} of the float network, {score.n} samples"
    return Measured(round(reference.value - score.value, 9), n=score.n, how=how)


def distance_lines(budget: Budget, quality: Quality | NetworkQuality | Unmeasured) -> tuple[VerdictLine, ...]:
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
    budget: Budget,
    artifact_bytes: int,
    measurements: Measurements | Unmeasured,
    predictions: Predictions | None,
    *,
    network: bool = False,
) -> Iterator[VerdictLine]:
    """Size, memory, speed and energy: size is the file's own, the rest is the device's to give.

    The speed of a `network` is one run's time, that of a language model its tokens'. What a session that ended early
    saw until then can fail a line and not pass it.
    """
    early = "" if isinstance(measurements, Unmeasured) else measurements.partial
    if (limit := budget.artifact_bytes_max) is not None:
        size = Measured(float(artifact_bytes), how="size of the finished file")
        predicted = None if predictions is None else predictions.artifact_bytes
        yield _line("artifact size", "bytes", limit, size, predicted)
    for line in _session_lines(budget, measurements, predictions, network=network):
        yield _not_passed(line, early) if early and line.outcome == "PASS" else line


def _not_passed(line: VerdictLine, early: str) -> VerdictLine:
    return replace(line, outcome="UNKNOWN", why=f"the session ended early ({early}); until then: {line.why}")


def _session_lines(
    budget: Budget,
    measurements: Measurements | Unmeasured,
    predictions: Predictions | None,
    *,
    network: bool,
) -> Iterator[VerdictLine]:

    def predicted(name: str) -> Prediction | None:
        return None if predictions is None else getattr(predictions, name)

    def reading(name: str) -> Reading:
        if isinstance(measurements, Unmeasured):
            return measurements
        holder = measurements.memory if name == "peak_rss_bytes" else measurements
        return getattr(holder, name)  # type: ignore[no-any-return]

    if (limit := budget.peak_rss_bytes_max) is not None:
        yield _line("peak RAM", "bytes", limit, reading("peak_rss_bytes"), predicted("peak_rss_bytes"))
        yield from _fit_lines(limit, measurements)
    if network:
        if (slowest := budget.inference_p95_ms_max) is not None:
            yield _line("inference p95", "ms", slowest, _inference(measurements), None)
        return
    if (ttft := budget.ttft_p95_ms_max) is not None:
        name = f"TTFT p95 at {budget.ttft_prompt_tokens} tokens"
        yield _line(name, "ms", ttft, _ttft(budget.ttft_prompt_tokens, measurements), predicted("ttft_p95_ms"))
    if (speed := budget.decode_tok_s_min) is not None:
        yield _line("decode speed", "tok/s", speed, reading("decode_tok_s"), predicted("decode_tok_s"), at_least=True)
    if (pause := budget.inter_token_p99_ms_max) is not None:
        yield _line("inter-token p99", "ms", pause, reading("inter_token_p99_ms"), None)
    if (energy := budget.energy_mj_per_token_max) is not None:
        yield _line("energy per token", "mJ", energy, _energy(measurements), None)


def _fit_lines(limit: float, measurements: Measurements | Unmeasured) -> Iterator[VerdictLine]:
    """What a session saw of mapped weights: they fit only where all of them may stay, and none came back from storage.

    A session that does not look (the Python runtimes') has no such line.
    """
    if isinstance(measurements, Unmeasured):
        return
    memory = measurements.memory
    if isinstance(memory.fit_bytes, Measured):
        yield _line("fits RAM", "bytes", limit, memory.fit_bytes, None)
    if isinstance(memory.major_faults, Measured):
        yield _line("paging", "major faults", 0, memory.major_faults, None)


def _energy(measurements: Measurements | Unmeasured) -> Reading:
    """A modelled figure never passes a power line: nothing sensed it."""
    if isinstance(measurements, Unmeasured):
        return measurements
    power = measurements.power
    if power is not None and power.origin == "modelled" and isinstance(measurements.energy_mj_per_token, Measured):
        return Unmeasured(f"{power.source} models power, nothing measured it: {power.why or power.scope}")
    return measurements.energy_mj_per_token


def _ttft(prompt_tokens: int, measurements: Measurements | Unmeasured) -> Reading:
    if isinstance(measurements, Unmeasured):
        return measurements
    for point in measurements.prefill:
        if point.prompt_tokens == prompt_tokens:
            return point.ttft_p95_ms
    return Unmeasured(f"no session prefilled {prompt_tokens} tokens (context {measurements.runtime.context})")


def _inference(measurements: Measurements | Unmeasured) -> Reading:
    if isinstance(measurements, Unmeasured):
        return measurements
    if not measurements.inference:
        return Unmeasured("no session ran it")
    readings = [point.p95_ms for point in measurements.inference]
    unknown = next((reading for reading in readings if isinstance(reading, Unmeasured)), None)
    if unknown is not None:
        return unknown
    return max((reading for reading in readings if isinstance(reading, Measured)), key=lambda reading: reading.value)


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
