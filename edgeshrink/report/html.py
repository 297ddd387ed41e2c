"""`report.html`: one file with everything in it. No script, no request; a policy in the page forbids both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.reading import Estimate, Measured, Reading
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.report import charts
from edgeshrink.report.comparison import comparisons
from edgeshrink.report.format import (
    DASH,
    MARKS,
    duration,
    error_percent,
    error_text,
    human_bytes,
    limit_text,
    line_label,
    plain,
    reading_text,
    short_text,
)


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    reading: Reading
    unit: str


@dataclass(frozen=True, slots=True)
class _Tile:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """A budget line, spelled. `used`: percent of the limit that is taken, None where that means nothing."""

    label: str
    why: str
    limit: str
    measured: str
    predicted: str
    error: str
    outcome: Outcome
    used: int | None


@dataclass(frozen=True, slots=True)
class _Group:
    """All tensors of one type; `percent` is their share of the tensor bytes."""

    type: str
    tensors: tuple[TensorPlan, ...]
    elements: int
    nbytes: int
    percent: str


def report_to_html(report: Report) -> str:
    """The page. Everything that came from a model, a file or a device is escaped. Equal reports give equal text."""
    return _template().render(
        report=report,
        name=report.source.given if report.source else report.artifact.file,
        summary=_summary(report),
        css=Markup(_environment().loader_text("report.css")),
        tiles=_tiles(report),
        lines=[_line(line) for line in report.verdict.lines],
        figures=_figures(report),
        quality_rows=tuple(_quality_rows(report)),
        speed_rows=tuple(_speed_rows(report)),
        ledger=_ledger(report.artifact.tensors),
        methods=_methods(report),
        marks=MARKS,
        dash=DASH,
    )


class _Templates(Environment):
    def loader_text(self, name: str) -> str:
        """A file beside the template, as it is."""
        assert self.loader is not None
        return self.loader.get_source(self, name)[0]


@cache
def _environment() -> _Templates:
    environment = _Templates(
        loader=PackageLoader("edgeshrink.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "plain": lambda text: plain(str(text)),
        "bytes": human_bytes,
        "duration": duration,
        "reading": reading_text,
        "short": short_text,
    }
    return environment


@cache
def _template() -> Template:
    return _environment().get_template("report.html.j2")


def _summary(report: Report) -> str:
    outcomes = [line.outcome for line in report.verdict.lines]
    words = (("FAIL", "failed"), ("UNKNOWN", "could not be judged"), ("PASS", "passed"))
    tally = ", ".join(f"{outcomes.count(outcome)} {word}" for outcome, word in words if outcome in outcomes)
    elsewhere = "" if report.runs_on_this_host else " That is not this machine: its speed and RAM were not measured."
    return (
        f"Of {len(outcomes)} budget lines {tally}. Device: {report.profile_name} ({report.profile}), "
        f"target {report.target}, context {report.context:,} tokens.{elsewhere}"
    )


def _tiles(report: Report) -> list[_Tile]:
    artifact, quality, seen = report.artifact, report.quality, report.measurements
    tiles = [_Tile("File", human_bytes(artifact.nbytes), f"{artifact.bits_per_weight:.2f} bits per weight")]
    if quality is not None:
        tiles.append(_tile("Same top token", quality.same_top_share, "share"))
        tiles.append(_tile("Mean KL", quality.mean_kl, "nats"))
    if seen is not None:
        tiles.append(_tile("Decode", seen.decode_tok_s, "tok/s"))
        tiles.append(_tile("Peak RAM", seen.memory.peak_rss_bytes, "bytes"))
    elif report.predictions is not None:
        tiles.append(_tile("Decode, predicted", report.predictions.decode_tok_s, "tok/s"))
        tiles.append(_tile("Peak RAM, predicted", report.predictions.peak_rss_bytes, "bytes"))
    return tiles


def _tile(label: str, reading: Reading | Estimate, unit: str) -> _Tile:
    if isinstance(reading, Measured):
        spread = reading_text(reading, unit)
        value = short_text(reading, unit)
        return _Tile(label, value, spread if spread != value else "")
    return _Tile(label, short_text(reading, unit), reading.method if isinstance(reading, Estimate) else reading.reason)


def _line(line: VerdictLine) -> _Line:
    return _Line(
        label=line_label(line.name),
        why=line.why,
        limit=limit_text(line),
        measured=short_text(line.reading, line.unit, spread=True),
        predicted=short_text(line.prediction, line.unit),
        error=error_text(error_percent(line.prediction, line.reading)),
        outcome=line.outcome,
        used=_used(line),
    )


def _used(line: VerdictLine) -> int | None:
    if not isinstance(line.reading, Measured) or line.limit <= 0 or line.reading.value <= 0:
        return None
    share = line.reading.value / line.limit
    percent = 100 * (share if line.comparison == "<=" else 1 / share)
    return round(min(percent, 1e6))


def _figures(report: Report) -> list[charts.Figure]:
    figures = [charts.size_quality_chart(report)] if report.ladder else []
    if report.measurements is not None:
        figures.append(charts.inter_token_chart(report.measurements))
        figures.append(charts.ttft_chart(report.measurements))
        figures.append(charts.memory_chart(report))
    return [*figures, charts.prediction_chart(comparisons(report))]


def _quality_rows(report: Report) -> Iterator[_Row]:
    quality = report.quality
    if quality is not None:
        yield _Row("Mean KL", quality.mean_kl, "nats")
        yield _Row("Median KL", quality.median_kl, "nats")
        yield _Row("KL, 99th percentile", quality.p99_kl, "nats")
        yield _Row("Same top token", quality.same_top_share, "share")
        yield _Row("Perplexity", quality.perplexity, "")
        yield _Row("Perplexity of the reference", quality.reference_perplexity, "")
        yield _Row("Perplexity ratio", quality.perplexity_ratio, "x")
        yield _Row("Largest logit difference", quality.max_logit_difference, "")


def _speed_rows(report: Report) -> Iterator[_Row]:
    seen = report.measurements
    if seen is not None:
        yield _Row("Decode speed", seen.decode_tok_s, "tok/s")
        yield _Row("Inter-token latency, p50", seen.inter_token_p50_ms, "ms")
        yield _Row("Inter-token latency, p95", seen.inter_token_p95_ms, "ms")
        yield _Row("Inter-token latency, p99", seen.inter_token_p99_ms, "ms")
        yield _Row("Load time, cold", seen.load_cold_ms, "ms")
        yield _Row("Load time, warm", seen.load_warm_ms, "ms")
        yield _Row("Peak RSS, anonymous + file-backed", seen.memory.peak_rss_bytes, "bytes")
        yield _Row("Peak anonymous", seen.memory.peak_anon_bytes, "bytes")
        yield _Row("Peak file-backed", seen.memory.peak_file_bytes, "bytes")
        yield _Row("Peak PSS", seen.memory.peak_pss_bytes, "bytes")
        yield _Row("Energy per token", seen.energy_mj_per_token, "mJ")


def _ledger(tensors: tuple[TensorPlan, ...]) -> list[_Group]:
    """By type, the one with most bytes first; within a type in the order of the file."""
    total = sum(tensor.nbytes for tensor in tensors) or 1
    groups = []
    for type in dict.fromkeys(tensor.type for tensor in tensors):
        members = tuple(tensor for tensor in tensors if tensor.type == type)
        nbytes = sum(tensor.nbytes for tensor in members)
        groups.append(
            _Group(type, members, sum(tensor.elements for tensor in members), nbytes, f"{100 * nbytes / total:.1f}")
        )
    return sorted(groups, key=lambda group: -group.nbytes)


def _methods(report: Report) -> list[tuple[str, str]]:
    """How the figures of the candidates were predicted: every method that was used, once."""
    found: dict[tuple[str, str], None] = {}
    for candidate in report.candidates:
        p = candidate.predictions
        for label, figure in (
            ("file", p.artifact_bytes),
            ("peak RAM", p.peak_rss_bytes),
            ("decode", p.decode_tok_s),
            ("TTFT", p.ttft_p95_ms),
            ("build", p.build_s),
        ):
            found[(label, figure.method if isinstance(figure, Estimate) else f"no figure, {figure.reason}")] = None
    return list(found) if len(found) <= 12 else []
