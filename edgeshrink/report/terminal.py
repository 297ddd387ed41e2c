"""The report and the plan as rich renderables, made to be whole at 80 columns: numbers are never cut, words wrap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgeshrink.core.plan import Candidate
from edgeshrink.core.reading import Prediction, Reading, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import Outcome
from edgeshrink.report.format import (
    DASH,
    MARKS,
    error_percent,
    error_text,
    human,
    human_bytes,
    limit_text,
    line_label,
    plain,
    reading_text,
    rough_duration,
    short_text,
)

_STYLES: dict[Outcome, str] = {"PASS": "bold green", "FAIL": "bold red", "UNKNOWN": "bold yellow"}
_WORDS: dict[Outcome, str] = {"FAIL": "failed", "UNKNOWN": "unknown", "PASS": "passed"}


def render_report(report: Report) -> RenderableType:
    """The report in brief: what was built, how the ladder went, the verdict line by line, quality, where files are."""
    parts: list[RenderableType] = [_header(report), Text()]
    if len(report.ladder) > 1:
        parts += [_ladder(report), Text()]
    parts.append(_verdict(report))
    parts += _reasons((line_label(line.name), line.reading, line.why) for line in report.verdict.lines)
    parts += [Text(), *_quality(report)]
    parts += [_item("!", note, "yellow") for note in report.notes]
    parts += [_item("-", f"given up: {given}", "dim") for given in report.traded_away]
    if report.folder is not None:
        parts += [Text(), Text.assemble(("Files  ", "dim"), plain(str(report.folder)), overflow="fold")]
    return Group(*parts)


def render_plan(candidates: Sequence[Candidate], *, title: str = "", notes: Sequence[str] = ()) -> RenderableType:
    """Every candidate with what it is predicted to take, on the device and on this host, and whether it fits."""
    table = _table()
    table.add_column("scheme", no_wrap=True)
    for name in ("file\nsize", "peak\nRAM", "decode\ntok/s", "TTFT\nms", "build\ntime", "host\nRAM", "host\ndisk"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits", no_wrap=True)
    units = ("bytes", "bytes", "", "", "s", "bytes", "bytes")
    missing: dict[str, None] = {}
    for candidate in candidates:
        p = candidate.predictions
        on_device = (p.artifact_bytes, p.peak_rss_bytes, p.decode_tok_s, p.ttft_p95_ms)
        figures = (*on_device, p.build_s, p.host_ram_bytes, p.host_disk_bytes)
        missing |= {plain(figure.reason): None for figure in figures if isinstance(figure, Unmeasured)}
        cells = [_cell(figure, unit) for figure, unit in zip(figures, units, strict=True)]
        table.add_row(Text(plain(candidate.scheme)), *map(Text, cells), _fits(candidate.fits))
    parts: list[RenderableType] = [Text(plain(title), style="bold"), Text()] if title else []
    parts += [table, Text("Every figure is a prediction; nothing was built or measured.", style="dim")]
    parts += [_item(DASH, f"no figure: {reason}", "dim") for reason in missing]
    parts += [_item("✗", f"{c.scheme}: {c.why}", "dim") for c in candidates if c.fits is not True and c.why]
    parts += [_item("!", note, "yellow") for note in notes]
    return Group(*parts)


def _cell(figure: Prediction, unit: str) -> str:
    if isinstance(figure, Unmeasured):
        return DASH
    return rough_duration(figure.value) if unit == "s" else human(figure.value, unit)


def _header(report: Report) -> RenderableType:
    artifact, outcome, seen = report.artifact, report.verdict.outcome, report.measurements
    name = report.source.given if report.source else artifact.file
    lines = report.verdict.lines
    counts = ((word, sum(line.outcome == outcome for line in lines)) for outcome, word in _WORDS.items())
    tally = ", ".join(f"{count} {word}" for word, count in counts if count)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("target", Text(plain(f"{report.target}, context {report.context:,} tokens")))
    elsewhere = "" if report.runs_on_this_host else ", which is not this machine"
    facts.add_row("device", Text(plain(f"{report.profile_name} ({report.profile}){elsewhere}")))
    size = f"{artifact.scheme}, {human_bytes(artifact.nbytes)}, {artifact.bits_per_weight:.2f} bits per weight"
    facts.add_row("file", Text(plain(f"{artifact.file}: {size}")))
    if seen is not None:
        runtime = f"{seen.runtime.name} {seen.runtime.version} on {seen.runtime.backend}"
        how = f"{seen.runtime.threads} threads, {seen.repetitions} repetitions"
        facts.add_row("measured", Text(plain(f"{seen.taken_at}, {runtime}, {how}")))
    facts.add_row("budget", Text(tally or "no line"))
    title = Text.assemble((f"{MARKS[outcome]} {outcome}  ", _STYLES[outcome]), (plain(name), "bold"), overflow="fold")
    return Group(title, facts)


def _ladder(report: Report) -> RenderableType:
    table = _table()
    table.add_column("ladder", no_wrap=True)
    for name in ("size", "mean KL", "same top"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("then", overflow="fold")
    for rung in report.ladder:
        table.add_row(
            Text(plain(rung.scheme)),
            human_bytes(rung.artifact_bytes),
            short_text(rung.mean_kl, ""),
            short_text(rung.same_top_share, "share"),
            _outcome(rung.outcome),
            Text(plain(rung.move)),
        )
    return table


def _verdict(report: Report) -> RenderableType:
    table = _table()
    table.add_column("budget line", min_width=10, overflow="fold")
    for name in ("limit", "measured", "predicted", "off by"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    spread = all(_spread_fits(line.reading, line.unit) for line in report.verdict.lines)
    for line in report.verdict.lines:
        table.add_row(
            line_label(line.name),
            limit_text(line),
            short_text(line.reading, line.unit, spread=spread),
            short_text(line.prediction, line.unit),
            error_text(error_percent(line.prediction, line.reading)),
            _outcome(line.outcome),
        )
    return table


def _spread_fits(reading: Reading, unit: str) -> bool:
    return len(short_text(reading, unit, spread=True)) <= 17


def _reasons(lines: Iterable[tuple[str, Reading, str]]) -> list[RenderableType]:
    """Under the table: why there is no reading, by reason, as one reason often holds for several lines."""
    reasons: dict[str, list[str]] = {}
    for label, reading, why in lines:
        if isinstance(reading, Unmeasured):
            reasons.setdefault(reading.reason or why, []).append(label)
    return [_item(DASH, f"{', '.join(labels)}: {reason}", "dim") for reason, labels in reasons.items()]


def _quality(report: Report) -> list[RenderableType]:
    quality = report.quality
    if quality is None:
        return []
    rows = (
        ("mean KL", quality.mean_kl, ""),
        ("same top token", quality.same_top_share, "share"),
        ("perplexity", quality.perplexity, ""),
        ("ratio to reference", quality.perplexity_ratio, ""),
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, reading, unit in rows:
        facts.add_row(label, Text(reading_text(reading, unit)))
    heading = f"Quality against {quality.reference}, {quality.tokens:,} tokens of {quality.text}"
    ok = sum(check.outcome == "ok" for check in quality.checks)
    parts: list[RenderableType] = [Text(plain(heading), style="bold", overflow="fold"), Padding(facts, (0, 0, 0, 2))]
    if quality.checks:
        parts.append(Text(f"  {ok} of {len(quality.checks)} checks on the finished file hold"))
    for check in quality.checks:
        if check.outcome != "ok":
            mark, style = ("✗", "red") if check.outcome == "failed" else (DASH, "dim")
            parts.append(_item(mark, f"{check.name} {check.outcome}: {check.detail}", style))
    return parts


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=True)


def _outcome(outcome: Outcome) -> Text:
    return Text(f"{MARKS[outcome]} {outcome}", style=_STYLES[outcome])


def _fits(fits: bool | None) -> Text:
    if fits is None:
        return Text("?", style="yellow")
    return Text("yes", style="green") if fits else Text("no", style="red")


def _item(mark: str, text: str, style: str) -> RenderableType:
    """A line with a hanging indent."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, style=style)
    grid.add_column(overflow="fold", style=style)
    grid.add_row(mark, Text(plain(text)))
    return Padding(grid, (0, 0, 0, 2))
