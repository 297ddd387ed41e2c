"""The report as a rich renderable, made to be whole at 80 columns: numbers are never cut, words wrap."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Reading, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import Outcome
from edgeshrink.report.adapters_terminal import render_adapters
from edgeshrink.report.behaviour_rows import other_lines
from edgeshrink.report.behaviour_terminal import render_behaviour
from edgeshrink.report.device_terminal import add_where, device_parts, partial_item
from edgeshrink.report.figures import brief_quality_rows, compared_on, ladder_columns
from edgeshrink.report.format import (
    DASH,
    MARKS,
    error_text,
    human_bytes,
    limit_text,
    line_label,
    plain,
    reading_text,
    short_text,
)
from edgeshrink.report.pieces import STYLES, facts_grid, item, outcome_text, table
from edgeshrink.report.plan_table import render_plan
from edgeshrink.report.predicted import line_error
from edgeshrink.report.shrink_terminal import render_shrinkage
from edgeshrink.report.told import (
    baseline_label,
    delegated_text,
    duplicate_texts,
    export_memory_text,
    export_text,
    files_text,
    layers_text,
    left_text,
    not_run_text,
    place_text,
    size_text,
)

__all__ = ["render_plan", "render_report"]

_LAYERS = 5
_WORDS: dict[Outcome, str] = {"FAIL": "failed", "UNKNOWN": "unknown", "PASS": "passed"}


def render_report(report: Report) -> RenderableType:
    """The report in brief: what was built, how the ladder went, the verdict line by line, quality, where files are."""
    parts: list[RenderableType] = [_header(report), *partial_item(report), Text()]
    if len(report.ladder) > 1:
        parts += [_ladder(report), Text()]
    if report.shrinkage is not None:
        parts += [render_shrinkage(report.shrinkage), Text()]
    parts.append(_verdict(report))
    lines = other_lines(report.verdict, report.behaviour)
    parts += _reasons((line_label(line.name), line.reading, line.why) for line in lines)
    if quality := _quality(report):
        parts += [Text(), *quality]
    if report.behaviour is not None:
        built = report.compression is not None
        parts += [Text(), render_behaviour(report.behaviour, report.verdict, brief=built)]
    if report.adapters:
        parts += [Text(), render_adapters(report)]
    parts += [*_measured(report.measurements), *device_parts(report)]
    if report.artifact.delegation is not None:
        parts += [item("!", text, "yellow") for text in duplicate_texts(report.artifact.delegation)]
    parts += [item("!", note, "yellow") for note in report.notes]
    parts += [item("-", f"given up: {given}", "dim") for given in report.traded_away]
    if report.folder is not None:
        parts += [Text(), Text.assemble(("Files  ", "dim"), plain(str(report.folder)), overflow="fold")]
    return Group(*parts)


def _header(report: Report) -> RenderableType:
    artifact, outcome, seen = report.artifact, report.verdict.outcome, report.measurements
    name = report.source.given if report.source else artifact.file
    lines = report.verdict.lines
    counts = ((word, sum(line.outcome == outcome for line in lines)) for outcome, word in _WORDS.items())
    tally = ", ".join(f"{count} {word}" for word, count in counts if count)
    facts = facts_grid()
    facts.add_row("target", Text(plain(place_text(report).removeprefix("target "))))
    elsewhere = "" if report.on_device or (seen and seen.device) else ", which is not this machine"
    facts.add_row("device", Text(plain(f"{report.profile_name} ({report.profile}){elsewhere}")))
    add_where(facts, report)
    files = files_text(artifact)
    facts.add_row("folder" if files else "file", Text(plain(f"{artifact.file}: {size_text(artifact)}")))
    if files:
        facts.add_row("", Text(plain(files)))
    if (delegation := artifact.delegation) is not None:
        outside = left_text(delegation)
        left = f"; left outside: {outside}" if outside else ""
        facts.add_row("delegate", Text(plain(delegated_text(delegation) + left)))
        if apart := not_run_text(delegation):
            facts.add_row("", Text(plain(apart), style="yellow"))
    if report.export_times is not None:
        memory = export_memory_text(report)
        took = export_text(report.export_times) + (f"; peak RSS {memory}" if memory else "")
        facts.add_row("export", Text(plain(took)))
    if seen is not None:
        runtime = f"{seen.runtime.name} {seen.runtime.version} on {seen.runtime.backend}"
        how = f"{seen.runtime.threads} threads, {seen.repetitions} repetitions"
        facts.add_row("measured", Text(plain(f"{seen.taken_at}, {runtime}, {how}")))
    facts.add_row("budget", Text(tally or "no line"))
    title = Text.assemble((f"{MARKS[outcome]} {outcome}  ", STYLES[outcome]), (plain(name), "bold"), overflow="fold")
    return Group(title, facts)


def _ladder(report: Report) -> RenderableType:
    rungs = table()
    columns = [column for column in ladder_columns(report.ladder) if column.label != "Perplexity ratio"]
    rungs.add_column("ladder", no_wrap=True)
    for name in ("size", *(column.label[:1].lower() + column.label[1:] for column in columns)):
        rungs.add_column(name, justify="right", no_wrap=True)
    rungs.add_column("outcome", no_wrap=True)
    rungs.add_column("then", overflow="fold")
    for index, rung in enumerate(report.ladder):
        rungs.add_row(
            Text(plain(rung.scheme)),
            human_bytes(rung.artifact_bytes),
            *(short_text(column.readings[index], column.unit) for column in columns),
            outcome_text(rung.outcome),
            Text(plain(rung.move)),
        )
    return rungs


def _verdict(report: Report) -> RenderableType:
    lines = table()
    lines.add_column("budget line", min_width=10, overflow="fold")
    for name in ("limit", "measured", "predicted", "off by"):
        lines.add_column(name, justify="right", no_wrap=True)
    lines.add_column("outcome", no_wrap=True)
    told = other_lines(report.verdict, report.behaviour)
    spread = all(_spread_fits(line.reading, line.unit) for line in told)
    for line in told:
        lines.add_row(
            line_label(line.name),
            limit_text(line),
            short_text(line.reading, line.unit, spread=spread),
            short_text(line.prediction, line.unit),
            error_text(line_error(report, line)),
            outcome_text(line.outcome),
        )
    return lines


def _spread_fits(reading: Reading, unit: str) -> bool:
    return len(short_text(reading, unit, spread=True)) <= 17


def _reasons(lines: Iterable[tuple[str, Reading, str]]) -> list[RenderableType]:
    """Under the table: why there is no reading, by reason, as one reason often holds for several lines."""
    reasons: dict[str, list[str]] = {}
    for label, reading, why in lines:
        if isinstance(reading, Unmeasured):
            reasons.setdefault(reading.reason or why, []).append(label)
    return [item(DASH, f"{', '.join(labels)}: {reason}", "dim") for reason, labels in reasons.items()]


def _quality(report: Report) -> list[RenderableType]:
    quality = report.quality
    if quality is None:
        return []
    facts = facts_grid()
    for row in brief_quality_rows(quality):
        facts.add_row(line_label(row.label), Text(reading_text(row.reading, row.unit)))
    heading = f"Quality against {quality.reference}, on {compared_on(quality).text}"
    parts: list[RenderableType] = [Text(plain(heading), style="bold", overflow="fold"), Padding(facts, (0, 0, 0, 2))]
    if isinstance(quality, NetworkQuality):
        parts += _layers(quality)
    if quality.checks:
        ok = sum(check.outcome == "ok" for check in quality.checks)
        parts.append(Text(f"  {ok} of {len(quality.checks)} checks on the finished file hold"))
    for check in quality.checks:
        if check.outcome != "ok":
            mark, style = ("✗", "red") if check.outcome == "failed" else (DASH, "dim")
            parts.append(item(mark, f"{check.name} {check.outcome}: {check.detail}", style))
    return parts


def _layers(quality: NetworkQuality) -> list[RenderableType]:
    """The most sensitive layers, and how many were kept in float."""
    if not quality.layers:
        return []
    named = [f"{layer.name} {layer.error:.2g}{' (float)' if layer.kept_float else ''}" for layer in quality.layers]
    most = f"most sensitive, by the output's relative squared error: {', '.join(named[:_LAYERS])}"
    return [item("-", layers_text(quality.layers), ""), item("-", most, "dim")]


def _measured(seen: Measurements | None) -> list[RenderableType]:
    """What the verdict's lines do not say: a network's runs by their shapes, and what of the peak is not the file's."""
    if seen is None:
        return []
    parts: list[RenderableType] = []
    if seen.inference:
        runs = table()
        runs.add_column("one run", overflow="fold")
        for name in ("p50", "p95", "p99"):
            runs.add_column(name, justify="right", no_wrap=True)
        for point in seen.inference:
            figures = (point.p50_ms, point.p95_ms, point.p99_ms)
            runs.add_row(Text(plain(point.shapes)), *(short_text(figure, "ms") for figure in figures))
        parts += [Text(), runs]
        parts += _reasons(
            (f"{point.shapes} {name}", reading, "")
            for point in seen.inference
            for name, reading in (("p50", point.p50_ms), ("p95", point.p95_ms), ("p99", point.p99_ms))
        )
    memory = seen.memory
    if seen.device is None and not isinstance(memory.peak_rss_bytes, Unmeasured):
        peak, base = reading_text(memory.peak_rss_bytes, "bytes"), reading_text(memory.baseline_rss_bytes, "bytes")
        parts += [Text(), Text(plain(f"Peak RSS {peak}, {baseline_label(seen)}: {base}"), overflow="fold")]
    return parts
