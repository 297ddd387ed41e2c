"""The formats of `build --format all` side by side: which figures a comparison shows, and each format's readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Comparison, FormatOutcome, Report
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.format import human_bytes, limit_text, line_label, short_text
from edgeshrink.report.predicted import line_of, size_line
from edgeshrink.report.told import baseline_owner, is_network, not_run_text

K = TypeVar("K")
NOT_BUILT = "it was not built"
_MOST_SLICES = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure of the comparison: a reading for each outcome, in their order. `id` is size, quality, speed, ...

    `limit` is the budget's line for it, of the first format that has one: the budget is the same for all. `within` is
    a part of each reading (of peak RSS what was there before the file was opened), `note` says what exactly was timed.
    """

    id: str
    label: str
    unit: str
    readings: tuple[Reading, ...]
    limit: VerdictLine | None
    higher_is_better: bool = False
    within: tuple[Reading, ...] = ()
    note: str = ""


def shown_figures(comparison: Comparison) -> tuple[Shown, ...]:
    """The figures that formats are told apart by; those of networks where a network was built."""
    reports = [outcome.report for outcome in comparison.outcomes if outcome.report is not None]
    figures = [_shown(comparison, "size", "Size", "bytes", _size, line=size_line)]
    if any(is_network(report) for report in reports):
        shapes = _common(reports, lambda seen: [(point.shapes, point.p95_ms) for point in seen.inference])
        note = f"Time of one run: {shapes}" if shapes else ""
        figures += [
            _shown(comparison, "quality", "Output cosine", "cosine", _quality("cosine_mean"), higher=True),
            _shown(comparison, "same-top", "Same top output", "share", _quality("same_top_share"), higher=True),
            replace(_shown(comparison, "speed", "One run, p95", "ms", lambda report: _run(report, shapes)), note=note),
        ]
    else:
        prompt = _common(reports, lambda seen: [(point.prompt_tokens, point.ttft_p95_ms) for point in seen.prefill])
        note = f"TTFT: time to the first token of a prompt of {prompt:,} tokens" if prompt else ""
        figures += [
            _shown(comparison, "quality", "Mean KL", "nats", _quality("mean_kl")),
            _shown(comparison, "same-top", "Same top token", "share", _quality("same_top_share"), higher=True),
            _shown(comparison, "speed", "Decode speed", "tok/s", _decode, higher=True),
            replace(
                _shown(comparison, "first-token", "TTFT p95", "ms", lambda report: _ttft(report, prompt)), note=note
            ),
        ]
    before = _shown(comparison, "before", "before", "bytes", _baseline).readings
    return (*figures, replace(_shown(comparison, "memory", "Peak RSS", "bytes", _peak), within=before))


def why_text(comparison: Comparison) -> str:
    """Why the best is the best, as a sentence."""
    why = comparison.why.strip()
    return f"{why[:1].upper()}{why[1:].rstrip('.')}." if why else ""


def notes(comparison: Comparison) -> tuple[str, ...]:
    """What has to be known to read the figures: what was timed, what of the peak is not the file's, what was lost."""
    shown = shown_figures(comparison)
    found = [figure.note for figure in shown if figure.note]
    parts: dict[str, list[str]] = {}
    for name, outcome, reading in zip(names(comparison), comparison.outcomes, shown[-1].within, strict=True):
        if isinstance(reading, Measured) and outcome.report is not None and outcome.report.measurements is not None:
            owner = baseline_owner(outcome.report.measurements)
            parts.setdefault(owner, []).append(f"{name} {human_bytes(reading.value)}")
    for owner, sizes in parts.items():
        found.append(f"Of peak RSS, {owner}, before the file was opened: {', '.join(sizes)}")
    return (*found, *_slices_lost(comparison))


def _slices_lost(comparison: Comparison) -> Iterator[str]:
    """By format, where any was asked: what its failed gates say stands with it."""
    lost = []
    for name, outcome in zip(names(comparison), comparison.outcomes, strict=True):
        if outcome.report is not None and outcome.report.behaviour is not None:
            moved = [one.name for one in outcome.report.behaviour.moved]
            more = f" and {len(moved) - _MOST_SLICES} more" if len(moved) > _MOST_SLICES else ""
            lost.append(f"{name} {', '.join(moved[:_MOST_SLICES]) or 'none'}{more}")
    if lost:
        yield f"Slices that lost more than noise explains (95 %): {'; '.join(lost)}"


def names(comparison: Comparison) -> tuple[str, ...]:
    """`gguf Q4_K_M`; the format alone where it failed."""
    return tuple(
        f"{outcome.format} {outcome.report.artifact.scheme}" if outcome.report else outcome.format
        for outcome in comparison.outcomes
    )


def against(outcome: FormatOutcome) -> tuple[str, ...]:
    """What speaks against a format, one sentence each: its error, the lines it fails, that it did not run here."""
    report = outcome.report
    if report is None:
        return (outcome.error or "it failed and left no word",)
    found = list(failed_texts(report))
    delegation = report.artifact.delegation
    if delegation is not None and (apart := not_run_text(delegation)):
        found.append(apart)
    return tuple(found)


def failed_texts(report: Report) -> tuple[str, ...]:
    """The lines of the budget that it fails, one sentence each."""
    return tuple(_failed(line) for line in report.verdict.lines if line.outcome == "FAIL")


def missing(shown: tuple[Shown, ...], formats: tuple[str, ...]) -> dict[str, list[str]]:
    """Why there is no reading: reason -> "format: figure". Formats that were not built are told of elsewhere."""
    reasons: dict[str, list[str]] = {}
    for figure in shown:
        for name, reading in zip(formats, figure.readings, strict=True):
            if isinstance(reading, Unmeasured) and reading.reason != NOT_BUILT:
                reasons.setdefault(reading.reason, []).append(f"{name} {figure.label}")
    return reasons


def _failed(line: VerdictLine) -> str:
    reading = short_text(line.reading, line.unit)
    why = f" ({line.why})" if line.why and line.unit != "bytes" else ""
    return f"{line_label(line.name)}: {reading}, the budget says {limit_text(line)}{why}"


def _shown(
    comparison: Comparison,
    id: str,
    label: str,
    unit: str,
    read: Callable[[Report], Reading],
    *,
    higher: bool = False,
    line: Callable[[Report], VerdictLine | None] | None = None,
) -> Shown:
    reports = [outcome.report for outcome in comparison.outcomes]
    readings = tuple(Unmeasured(NOT_BUILT) if report is None else read(report) for report in reports)
    find = line or (lambda report: line_of(report, read(report)))
    lines = (find(report) for report in reports if report is not None)
    return Shown(id, label, unit, readings, next((line for line in lines if line is not None), None), higher)


def _size(report: Report) -> Reading:
    return Measured(float(report.artifact.nbytes), how="size of the finished file")


def _quality(name: str) -> Callable[[Report], Reading]:
    def read(report: Report) -> Reading:
        reading: Reading | None = getattr(report.quality, name, None)
        return Unmeasured("it was not compared with its source") if reading is None else reading

    return read


def _decode(report: Report) -> Reading:
    return _unmeasured(report) if report.measurements is None else report.measurements.decode_tok_s


def _peak(report: Report) -> Reading:
    return _unmeasured(report) if report.measurements is None else report.measurements.memory.peak_rss_bytes


def _baseline(report: Report) -> Reading:
    return _unmeasured(report) if report.measurements is None else report.measurements.memory.baseline_rss_bytes


def _ttft(report: Report, prompt: int | None) -> Reading:
    if report.measurements is None:
        return _unmeasured(report)
    found = [point.ttft_p95_ms for point in report.measurements.prefill if point.prompt_tokens == prompt]
    return found[0] if found else Unmeasured("no prompt length was timed in every format")


def _run(report: Report, shapes: str | None) -> Reading:
    if report.measurements is None:
        return _unmeasured(report)
    found = [point.p95_ms for point in report.measurements.inference if point.shapes == shapes]
    return found[0] if found else Unmeasured("no input shapes were timed in every format")


def _unmeasured(report: Report) -> Unmeasured:
    """Why nothing was measured: what the verdict's lines say of it, else that this is another machine."""
    apart = not_run_text(report.artifact.delegation) if report.artifact.delegation else ""
    if apart:
        return Unmeasured(apart)
    if not report.on_device:
        return Unmeasured(f"{report.profile_name} is not this machine")
    return Unmeasured("it was not measured")


def _common(reports: list[Report], points: Callable[[Measurements], list[tuple[K, Reading]]]) -> K | None:
    """What every measured format was timed at: the point that the budget judges, else the last of them."""
    timed = [(report, points(report.measurements)) for report in reports if report.measurements is not None]
    if not timed:
        return None
    common = [key for key, _ in timed[0][1] if all(key in dict(others) for _, others in timed)]
    judged = (key for report, found in timed for key, reading in found if key in common and line_of(report, reading))
    return next(judged, common[-1] if common else None)
