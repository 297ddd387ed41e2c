"""`report.html`: one file with everything in it. No script, no request; a policy in the page forbids both."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.measurement import InferencePoint, Measurements
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.power import PowerRecord
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.reading import Estimate, Measured, Reading
from edgeshrink.core.report import Report
from edgeshrink.core.shrinking import Shrinkage
from edgeshrink.core.verdict import Outcome, VerdictLine
from edgeshrink.report import charts
from edgeshrink.report.adapters_told import adapter_rows, adapters_text, compared_text
from edgeshrink.report.behaviour_page import behaviour_page
from edgeshrink.report.behaviour_rows import other_lines, slice_rows, worst_first
from edgeshrink.report.behaviour_told import loss_text
from edgeshrink.report.device_page import device_charts, device_page
from edgeshrink.report.device_told import device_text, measured_on
from edgeshrink.report.figures import chosen_rung, compared_on, ladder_columns, quality_rows, speed_rows
from edgeshrink.report.format import (
    AS_ASKED,
    duration,
    error_text,
    human_bytes,
    limit_text,
    line_label,
    reading_text,
    short_text,
)
from edgeshrink.report.page import page
from edgeshrink.report.predicted import line_error, predicted_and_measured
from edgeshrink.report.session_told import has_power, power_facts, warnings
from edgeshrink.report.shrink_page import shrinkage_page
from edgeshrink.report.shrink_told import count_text, shipped_rung
from edgeshrink.report.told import (
    bits_text,
    delegation_rows,
    export_memory_text,
    is_network,
    layers_text,
    not_run_text,
    place_text,
)


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
    quality, seen = report.quality, report.measurements
    network = is_network(report)
    return page(
        "report.html.j2",
        version=report.version,
        report=report,
        network=network,
        device=device_page(report),
        power=power_facts(seen) if seen is not None and seen.device is None and has_power(seen) else (),
        measured_on="" if seen is None else measured_on(seen),
        name=report.source.given if report.source else report.artifact.file,
        summary=_summary(report),
        apart=not_run_text(report.artifact.delegation) if report.artifact.delegation else "",
        tiles=_tiles(report),
        lines=[_line(report, line) for line in other_lines(report.verdict, report.behaviour)],
        behaviour=None if report.behaviour is None else behaviour_page(report.behaviour, report.verdict),
        shrinkage=None if report.shrinkage is None else shrinkage_page(report.shrinkage),
        adapters=adapter_rows(report),
        adapters_text=adapters_text(report),
        adapters_compared=compared_text(report),
        figures=_figures(report),
        compared=None if quality is None else compared_on(quality),
        quality_rows=tuple(quality_rows(quality)),
        layers=quality.layers if isinstance(quality, NetworkQuality) else (),
        layers_text=layers_text(quality.layers) if isinstance(quality, NetworkQuality) else "",
        speed_rows=() if seen is None else tuple(speed_rows(seen)),
        bits=bits_text(report.artifact),
        place=place_text(report).removeprefix("target "),
        delegation=delegation_rows(report.artifact.delegation) if report.artifact.delegation else (),
        ladder_columns=ladder_columns(report.ladder),
        chosen_rung=chosen_rung(report),
        export=_export(report),
        ledger=_ledger(report.artifact.tensors),
        methods=_methods(report, network=network),
    )


def _summary(report: Report) -> str:
    outcomes = [line.outcome for line in report.verdict.lines]
    words = (("FAIL", "failed"), ("UNKNOWN", "could not be judged"), ("PASS", "passed"))
    tally = ", ".join(f"{outcomes.count(outcome)} {word}" for outcome, word in words if outcome in outcomes)
    seen = report.measurements
    if seen is not None and seen.device is not None:
        where = f" Measured on {device_text(seen.device)}."
    else:
        where = "" if report.on_device else " That is not this machine: its speed and RAM were not measured."
    return (
        f"Of {len(outcomes)} budget lines {tally}. Device: {report.profile_name} ({report.profile}), "
        f"{place_text(report)}.{where}"
    )


def _tiles(report: Report) -> list[_Tile]:
    artifact, quality, seen = report.artifact, report.quality, report.measurements
    what = f"{len(artifact.files):,} files" if len(artifact.files) > 1 else "File"
    tiles = [_Tile(what, human_bytes(artifact.nbytes), bits_text(artifact))]
    if isinstance(quality, NetworkQuality):
        tiles.append(_tile("Output cosine, mean", quality.cosine_mean, "cosine"))
        if isinstance(quality.score, Measured):
            float_score = reading_text(quality.reference_score, "score", spread=False)
            tiles.append(_Tile("Score", short_text(quality.score, "score"), f"the float network: {float_score}"))
    elif quality is not None:
        tiles.append(_tile("Same top token", quality.same_top_share, "share"))
        tiles.append(_tile("Mean KL", quality.mean_kl, "nats"))
    if report.shrinkage is not None:
        tiles += _smaller(report.shrinkage)
    if report.behaviour is not None:
        tiles.append(_worst(report, report.behaviour))
    if seen is not None:
        if seen.inference:
            slowest = max(seen.inference, key=_p95)
            tiles.append(_Tile("One run, p95", short_text(slowest.p95_ms, "ms"), slowest.shapes))
        else:
            decode = _tile("Decode", seen.decode_tok_s, "tok/s")
            tiles.append(replace(decode, note="; ".join(warnings(report)) or decode.note))
        tiles.append(_tile("Peak RAM", seen.memory.peak_rss_bytes, "bytes"))
        if seen.power is not None and not seen.inference and (seen.device is not None or has_power(seen)):
            tiles.append(_energy(seen, seen.power))
    elif report.predictions is not None:
        if not is_network(report):
            tiles.append(_tile("Decode, predicted", report.predictions.decode_tok_s, "tok/s"))
        tiles.append(_tile("Peak RAM, predicted", report.predictions.peak_rss_bytes, "bytes"))
    return tiles


def _smaller(shrinkage: Shrinkage) -> list[_Tile]:
    """How many weights are left of the model that was given."""
    ships = shipped_rung(shrinkage)
    if ships is None or not shrinkage.steps:
        return []
    before, after = shrinkage.steps[0].before.parameters, shrinkage.rungs[ships].parameters
    return [_Tile("Weights", count_text(after), f"of {count_text(before)}")] if after < before else []


def _worst(report: Report, behaviour: Behaviour) -> _Tile:
    moved = worst_first(slice_rows(behaviour, report.verdict))
    if not moved:
        return _Tile("Slices that lost", "none", f"of {len(behaviour.slices)}, beyond noise")
    first = moved[0]
    lost = loss_text(first.metric.loss, first.metric.unit, spread=False)
    return _Tile("Lost most", lost, f"{first.slice.name}, of {len(behaviour.slices)} slices")


def _energy(seen: Measurements, power: PowerRecord) -> _Tile:
    tile = _tile("Energy per token", seen.energy_mj_per_token, "mJ")
    return replace(tile, note=f"{power.origin}, above rest") if isinstance(seen.energy_mj_per_token, Measured) else tile


def _p95(point: InferencePoint) -> float:
    return point.p95_ms.value if isinstance(point.p95_ms, Measured) else -1.0


def _tile(label: str, reading: Reading | Estimate, unit: str) -> _Tile:
    if isinstance(reading, Measured):
        spread = reading_text(reading, unit)
        value = short_text(reading, unit)
        return _Tile(label, value, spread if spread != value else "")
    return _Tile(label, short_text(reading, unit), reading.method if isinstance(reading, Estimate) else reading.reason)


def _line(report: Report, line: VerdictLine) -> _Line:
    return _Line(
        label=line_label(line.name),
        why=line.why,
        limit=limit_text(line),
        measured=short_text(line.reading, line.unit, spread=True),
        predicted=short_text(line.prediction, line.unit),
        error=error_text(line_error(report, line)),
        outcome=line.outcome,
        used=_used(line),
    )


def _export(report: Report) -> tuple[tuple[str, str], ...]:
    """Where the time of the export went, and its memory."""
    if report.export_times is None:
        return ()
    stages = ((stage[:1].upper() + stage[1:], duration(seconds)) for stage, seconds in report.export_times.stages)
    memory = export_memory_text(report)
    return (
        *stages,
        ("In all", duration(report.export_times.seconds)),
        *((("Peak RSS, on this machine", memory),) if memory else ()),
    )


def _used(line: VerdictLine) -> int | None:
    if not isinstance(line.reading, Measured) or line.limit <= 0 or line.reading.value <= 0:
        return None
    if line.unit == AS_ASKED:
        return None
    if line.unit == "cosine" and line.limit < 1:  # what is used up is the distance from 1
        return round(100 * max(0.0, 1 - line.reading.value) / (1 - line.limit))
    share = line.reading.value / line.limit
    percent = 100 * (share if line.comparison == "<=" else 1 / share)
    return round(min(percent, 1e6))


def _figures(report: Report) -> list[charts.Figure]:
    seen = report.measurements
    figures = [charts.size_quality_chart(report)] if report.ladder else []
    if seen is not None:
        if seen.inference:
            figures.append(charts.inference_chart(seen))
        else:
            figures += [charts.inter_token_chart(seen), charts.ttft_chart(seen)]
        figures += [charts.memory_chart(report), *device_charts(report)]
    if report.predictions is not None or seen is None or seen.device is None:
        figures.append(charts.prediction_chart(predicted_and_measured(report)))
    return figures


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


def _methods(report: Report, *, network: bool) -> list[tuple[str, str]]:
    """How the figures of the candidates were predicted: every method that was used, once."""
    left_out = ("decode", "TTFT") if network else ()
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
            if label in left_out:
                continue
            found[(label, figure.method if isinstance(figure, Estimate) else f"no figure, {figure.reason}")] = None
    return list(found) if len(found) <= 12 else []
