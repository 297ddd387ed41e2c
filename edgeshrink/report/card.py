"""`MODEL_CARD.md`: what stands in the folder, for whoever finds it later. Concise; the report has everything."""

from __future__ import annotations

import json
from collections.abc import Iterator

from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.report import Report
from edgeshrink.report.adapters_card import adapters_section
from edgeshrink.report.behaviour_card import behaviour_section
from edgeshrink.report.behaviour_rows import other_lines
from edgeshrink.report.device_told import measured_on
from edgeshrink.report.figures import brief_quality_rows, compared_on
from edgeshrink.report.format import human_bytes, limit_text, line_label
from edgeshrink.report.markdown import code, reading_words, table, words
from edgeshrink.report.session_told import partial_text, session_facts, warnings
from edgeshrink.report.shrink_card import shrinkage_section
from edgeshrink.report.told import (
    baseline_label,
    bits_text,
    delegation_rows,
    export_memory_text,
    export_text,
    is_network,
    layers_text,
    place_text,
)

_IN_TABLE = ("Peak RAM",)  # its parts have rows of their own


def model_card(report: Report) -> str:
    """The card as Markdown, with the front matter that model hubs read. Names and texts from outside are escaped."""
    sections = (
        _what(report),
        _smaller(report),
        _how(report),
        _verdict(report),
        _quality(report),
        _behaviour(report),
        adapters_section(report),
        _speed(report),
        _limits(report),
    )
    body = "\n\n".join("\n".join(section) for section in map(tuple, sections) if section)
    return f"{_front_matter(report)}\n{body}\n"


def _front_matter(report: Report) -> str:
    source = report.source
    entries = {"library_name": report.artifact.format, "tags": ["edgeshrink", report.artifact.scheme, report.target]}
    if source is not None and source.license:
        entries["license"] = source.license
    if source is not None and source.hub_id:
        entries["base_model"] = source.hub_id
    lines = (f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in entries.items())
    return "\n".join(("---", *lines, "---", ""))


def _what(report: Report) -> Iterator[str]:
    artifact, source = report.artifact, report.source
    yield f"# {words(source.given if source else artifact.file)} at {words(artifact.scheme)}"
    yield ""
    what = "Folder" if len(artifact.files) > 1 else "File"
    yield f"- **{what}**: {code(artifact.file)}, {human_bytes(artifact.nbytes)}, sha256 {code(artifact.sha256)}"
    if len(artifact.files) > 1:
        yield f"- **Files in it**: {', '.join(map(code, artifact.files))}"
    yield f"- **Built for**: {words(report.profile_name)} ({code(report.profile)}), {words(place_text(report))}"
    if artifact.delegation is not None:
        for name, text in delegation_rows(artifact.delegation):
            yield f"- **{name}**: {words(text)}"
    if source is None:
        yield "- **Source**: not known; an existing file was measured"
        return
    revision = f" at revision {code(source.revision)}" if source.revision else ""
    yield (
        f"- **Source**: {words(source.hub_id or source.given)}{revision}, {words(source.model_type)}, "
        f"{source.parameters:,} parameters in {words(source.dtype)}, digest {code(source.digest)}"
    )
    yield f"- **License of the source**: {words(source.license or 'not stated by the source; ask its author')}"


def _how(report: Report) -> Iterator[str]:
    done = report.compression
    if done is None:
        return
    yield "## How it was compressed"
    yield ""
    network = is_network(report)
    matrix = "" if network or not done.imatrix else f" Importance matrix: {words(done.imatrix)}."
    yield f"{words(done.method[:1].upper() + done.method[1:])}.{matrix}"
    if done.calibration_text:
        count = f"{done.calibration_tokens:,} {'samples' if network else 'tokens'}, " if done.calibration_tokens else ""
        yield (
            f"Calibration {'data' if network else 'text'}: {code(done.calibration_text)}, {count}"
            f"sha256 {code(done.calibration_sha256)}."
        )
    if report.export_times is not None:
        memory = export_memory_text(report)
        peak = f"; peak RSS {memory}" if memory else ""
        yield ""
        yield f"The export took {words(export_text(report.export_times))}{words(peak)}."
    if not report.artifact.tensors:
        return
    counts: dict[str, list[int]] = {}
    for tensor in report.artifact.tensors:
        entry = counts.setdefault(tensor.type, [0, 0])
        entry[0] += 1
        entry[1] += tensor.nbytes
    rows = [(words(type), f"{count:,}", human_bytes(nbytes)) for type, (count, nbytes) in counts.items()]
    yield ""
    yield from table(("Type", "Tensors", "Size"), rows)
    yield ""
    bits = bits_text(report.artifact)
    yield f"{bits + '. ' if bits else ''}`report.html` lists every tensor, its type and why."


def _smaller(report: Report) -> Iterator[str]:
    if report.shrinkage is not None:
        yield from shrinkage_section(report.shrinkage)


def _verdict(report: Report) -> Iterator[str]:
    yield f"## Verdict: {report.verdict.outcome}"
    yield ""
    rows = [
        (words(line_label(line.name)), limit_text(line), reading_words(line.reading, line.unit), line.outcome)
        for line in other_lines(report.verdict, report.behaviour)
    ]
    yield from table(("Budget line", "Limit", "Measured", "Outcome"), rows)


def _quality(report: Report) -> Iterator[str]:
    quality = report.quality
    if quality is None:
        return
    yield "## Quality"
    yield ""
    on = compared_on(quality)
    data = f"{on.before}{code(on.data)}{on.after}"
    yield f"Against {words(quality.reference)}, on {data}. Its sha256: {code(on.sha256)}."
    yield ""
    rows = [(row.label, reading_words(row.reading, row.unit)) for row in brief_quality_rows(quality)]
    rows += [(f"Check: {words(check.name)}", f"{check.outcome}: {words(check.detail)}") for check in quality.checks]
    yield from table(("Figure", "Value"), rows)
    if isinstance(quality, NetworkQuality) and quality.layers:
        yield ""
        worst = ", ".join(map(_layer, quality.layers[:5]))
        yield f"{words(layers_text(quality.layers))}. Most sensitive first: {worst}."


def _behaviour(report: Report) -> Iterator[str]:
    if report.behaviour is not None:
        yield from behaviour_section(report.behaviour, report.verdict)


def _layer(layer: LayerError) -> str:
    return f"{code(layer.name)} (error {layer.error:.2g})"


def _speed(report: Report) -> Iterator[str]:
    seen = report.measurements
    if seen is None:
        return
    runtime = seen.runtime
    yield "## Speed and memory"
    yield ""
    yield (
        f"Measured {words(seen.taken_at)} on {words(measured_on(seen))} through {words(runtime.name)} "
        f"{words(runtime.version)} on {words(runtime.backend)}, {runtime.threads} threads, "
        f"{seen.repetitions} repetitions."
    )
    for warning in (partial_text(seen), *warnings(report)):
        if warning:
            yield ""
            yield f"**{words(line_label(warning.rstrip('.')))}.**"
    yield ""
    rows: list[tuple[str, str]] = []
    for run in seen.inference:
        rows.append((f"One run, p50, {words(run.shapes)}", reading_words(run.p50_ms, "ms")))
        rows.append((f"One run, p95, {words(run.shapes)}", reading_words(run.p95_ms, "ms")))
        rows.append((f"One run, p99, {words(run.shapes)}", reading_words(run.p99_ms, "ms")))
        rows.append((f"Energy of one run, {words(run.shapes)}", reading_words(run.energy_mj, "mJ")))
    if not seen.inference:
        rows += [
            ("Decode", reading_words(seen.decode_tok_s, "tok/s")),
            ("Inter-token, p50", reading_words(seen.inter_token_p50_ms, "ms")),
            ("Inter-token, p99", reading_words(seen.inter_token_p99_ms, "ms")),
        ]
    for point in seen.prefill:
        rows.append((f"TTFT p95 at {point.prompt_tokens:,} tokens", reading_words(point.ttft_p95_ms, "ms")))
    rows += [
        ("Peak RSS", reading_words(seen.memory.peak_rss_bytes, "bytes")),
        (baseline_label(seen), reading_words(seen.memory.baseline_rss_bytes, "bytes")),
        ("Peak anonymous", reading_words(seen.memory.peak_anon_bytes, "bytes")),
    ]
    if not seen.inference:
        rows.append(("Energy per token", reading_words(seen.energy_mj_per_token, "mJ")))
    if seen.device is not None:
        rows += [(name, words(text)) for name, text in session_facts(report, seen) if name not in _IN_TABLE]
    yield from table(("Figure", "Value"), rows)


def _limits(report: Report) -> Iterator[str]:
    yield "## Limits"
    yield ""
    for text in report.traded_away:
        yield f"- {words(text)}"
    for text in report.notes:
        yield f"- {words(text)}"
    if not report.on_device:
        yield f"- Nothing was measured on {words(report.profile_name)}: its speed and memory are predictions at best."
    yield "- What the source model gets wrong, this file gets wrong too; its own card says for what it is meant."
