"""`profile --device all` on the terminal: one row a device, and below it what has to be known of each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.core.report import DeviceOutcome, DeviceSessions, Report
from edgeshrink.report.comparison import failed_texts
from edgeshrink.report.format import DASH, plain, short_text
from edgeshrink.report.pieces import item, outcome_text, table
from edgeshrink.report.session_told import (
    differs,
    hottest,
    paging_text,
    parity_text,
    partial_text,
    slowdown_name,
    throttling_text,
    warnings,
)

_HEADS = ("decode\ntok/s", "TTFT p95\nms", "peak\nRAM", "must\nfit", "mJ a\ntoken", "hottest\n°C")
_NAMES = ("decode", "TTFT p95", "peak RAM", "must fit", "mJ a token", "temperature")
_NOTHING = Unmeasured("")


def render_sessions(sessions: DeviceSessions) -> RenderableType:
    """The devices side by side, whole at 80 columns."""
    rows = table(0)
    rows.add_column("device", overflow="fold")
    rows.add_column("verdict", no_wrap=True)
    for head in _HEADS:
        rows.add_column(head, justify="right", no_wrap=True)
    for outcome in sessions.outcomes:
        verdict = Text("✗ error", style="bold red")
        if outcome.report is not None:
            verdict = outcome_text(outcome.report.verdict.outcome)
        units = ("", "", "bytes", "bytes", "", "")
        cells = (short_text(figure, unit) for figure, unit in zip(_figures(outcome.report), units, strict=True))
        rows.add_row(Text(plain(outcome.device)), verdict, *cells)
    parts: list[RenderableType] = [Text(plain(sessions.artifact), style="bold", overflow="fold"), Text(), rows]
    parts += [
        item(mark, f"{outcome.device}: {text}", style)
        for outcome in sessions.outcomes
        for mark, text, style in _notes(outcome)
    ]
    parts += [item(DASH, f"{', '.join(of)}: {reason}", "dim") for reason, of in _missing(sessions).items()]
    folders = [outcome.report.folder for outcome in sessions.outcomes if outcome.report and outcome.report.folder]
    if folders:
        parts.append(Text())
        parts += [Text.assemble(("Files  ", "dim"), plain(str(folder)), overflow="fold") for folder in folders]
    if not sessions.outcomes:
        parts.append(Text("No device was measured: none is attached.", style="yellow"))
    return Group(*parts)


def _figures(report: Report | None) -> tuple[Reading, ...]:
    """One reading a column, as the session took it, judged or not."""
    seen = None if report is None else report.measurements
    if report is None or seen is None:
        return (_NOTHING,) * len(_HEADS)
    memory = seen.memory
    return (
        seen.decode_tok_s,
        _ttft(report, seen),
        memory.peak_rss_bytes,
        memory.fit_bytes,
        seen.energy_mj_per_token,
        hottest(seen),
    )


def _ttft(report: Report, seen: Measurements) -> Reading:
    """That of the budget's prompt length where it has one, else that of the longest prompt."""
    judged = {f"TTFT p95 at {point.prompt_tokens} tokens": point.ttft_p95_ms for point in seen.prefill}
    for line in report.verdict.lines:
        if line.name in judged:
            return judged[line.name]
    return seen.prefill[-1].ttft_p95_ms if seen.prefill else Unmeasured("no prompt was timed")


def _notes(outcome: DeviceOutcome) -> Iterator[tuple[str, str, str]]:
    """Mark, text, style: its error, what is partial or emulated, the lines it fails."""
    report = outcome.report
    if report is None:
        said = outcome.error.removeprefix(f"{outcome.device}: ")  # which the row begins with
        yield "✗", said or "it failed and left no word", "red"
        return
    seen = report.measurements
    if text := partial_text(seen):
        yield "!", text.partition(". What had")[0], "bold yellow"
    for text in warnings(report):
        yield "!", text, "yellow"
    for text in failed_texts(report):
        yield "✗", text, "red"
    if seen is not None:
        if (text := paging_text(seen.memory)) and not any(line.name == "paging" for line in report.verdict.lines):
            yield "!", f"paging: {text}", "yellow"
        if seen.sustained is not None and seen.sustained.throttling:
            yield "!", f"{slowdown_name(seen.sustained).lower()}: {throttling_text(seen.sustained)}", "yellow"
        if differs(seen):
            yield "!", parity_text(seen.greedy_parity), "yellow"
        if seen.power is not None and seen.power.origin in ("inferred", "modelled"):
            yield "-", f"power is {seen.power.origin}: {seen.power.why or seen.power.scope}", "dim"


def _missing(sessions: DeviceSessions) -> dict[str, list[str]]:
    """Why there is no figure: reason -> "device figure"."""
    found: dict[str, list[str]] = {}
    for outcome in sessions.outcomes:
        for name, reading in zip(_NAMES, _figures(outcome.report), strict=True):
            if isinstance(reading, Unmeasured) and reading.reason:
                found.setdefault(reading.reason, []).append(f"{outcome.device} {name}")
    return found
