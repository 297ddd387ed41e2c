"""Facts of a report in words that the terminal, the page and the card share: kind of model, files, delegate, layers."""

from __future__ import annotations

from edgeshrink.core.delegation import Delegation
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import LayerError, NetworkQuality
from edgeshrink.core.reading import Estimate, Measured
from edgeshrink.core.report import Artifact, Report
from edgeshrink.report.format import duration, error_percent, error_text, human, human_bytes, listed, short_text

_OPERATORS = 6
_FILES = 3


def is_native(seen: Measurements) -> bool:
    """Whether the native runner measured, on a device: it is no Python, so no Python is in its memory."""
    return seen.device is not None and seen.runtime.name == "llama_cpp"


def baseline_owner(seen: Measurements) -> str:
    """What was resident before the file was opened."""
    return "the runner itself" if is_native(seen) else "interpreter and runtime libraries"


def baseline_label(seen: Measurements) -> str:
    """A part of peak RSS."""
    return f"of which {baseline_owner(seen)}, before the file was opened"


def is_network(report: Report) -> bool:
    """Whether the artifact generates no text: it has no context, or was compared or run as networks are."""
    runs = report.measurements is not None and bool(report.measurements.inference)
    return report.context == 0 or runs or isinstance(report.quality, NetworkQuality)


def place_text(report: Report) -> str:
    """`target android, context 512 tokens`; a network has no context."""
    context = "" if is_network(report) else f", context {report.context:,} tokens"
    return f"target {report.target}{context}"


def bits_text(artifact: Artifact) -> str:
    """`4.95 bits per weight`, "" where nobody counted them."""
    return f"{artifact.bits_per_weight:.2f} bits per weight" if artifact.bits_per_weight > 0 else ""


def size_text(artifact: Artifact) -> str:
    """`int4, 5.02 MiB, 4.95 bits per weight`."""
    parts = (artifact.scheme, human_bytes(artifact.nbytes), bits_text(artifact))
    return ", ".join(part for part in parts if part)


def files_text(artifact: Artifact) -> str:
    """`6 files: genai_config.json, model.onnx, model.onnx.data and 3 more files`, "" for a single file."""
    count = len(artifact.files)
    if count < 2:
        return ""
    return f"{count:,} files: {listed(artifact.files, most=_FILES, more='files')}"


def delegated_text(delegation: Delegation) -> str:
    """`xnnpack: 93.1 % of operators (54 of 58), 99.83 % of weight bytes`."""
    if not delegation.operators:
        return f"{delegation.asked}: no operator was found in the file"
    shares = [
        f"{human(delegation.operator_share, 'share')} of operators "
        f"({delegation.delegated_operators:,} of {delegation.operators:,})"
    ]
    if delegation.weight_bytes:
        shares.append(f"{human(delegation.weight_share, 'share')} of weight bytes")
    return f"{delegation.asked}: {', '.join(shares)}"


def left_text(delegation: Delegation) -> str:
    """`aten.embedding ×1, aten.index ×2`: what stayed outside of the delegate; "" where nothing did."""
    names = [f"{name} ×{count:,}" for name, count in delegation.left]
    return listed(names, most=_OPERATORS, more="kinds")


def not_run_text(delegation: Delegation) -> str:
    """Said of a file for a backend that this machine does not have; "" where it has."""
    if delegation.runs_here:
        return ""
    return f"lowered ahead of time for {delegation.asked} and inspected; not run on this machine"


def duplicate_texts(delegation: Delegation) -> tuple[str, ...]:
    """One sentence a tensor that stands in the file more than once."""
    return tuple(
        f"{name} is in the file more than once: {human_bytes(nbytes)} lost" for name, nbytes in delegation.duplicates
    )


def delegation_rows(delegation: Delegation) -> tuple[tuple[str, str], ...]:
    """Everything about a delegate, as names and texts; what there is nothing to say of is left out."""
    rows = (
        ("Delegate", delegated_text(delegation)),
        ("Left outside", left_text(delegation)),
        ("Not run here", not_run_text(delegation)),
        *(("Stored twice", text) for text in duplicate_texts(delegation)),
    )
    return tuple((name, text) for name, text in rows if text)


def export_text(times: ExportTimes) -> str:
    """`41.2 s: load 3.10 s, export 20.1 s, lower 18.0 s`."""
    stages = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in times.stages)
    return f"{duration(times.seconds)}: {stages}" if len(times.stages) > 1 else duration(times.seconds)


def export_memory_text(report: Report) -> str:
    """`1.20 GiB, predicted ~1.10 GiB (-8.3 %)`; "" where the export's peak is not known."""
    peak = export_peak(report)
    if peak is None:
        return ""
    text = human_bytes(peak.value)
    predicted = None if report.predictions is None else report.predictions.host_ram_bytes
    if not isinstance(predicted, Estimate):
        return text
    return f"{text}, predicted {short_text(predicted, 'bytes')} ({error_text(error_percent(predicted, peak))})"


def export_peak(report: Report) -> Measured | None:
    """Peak RSS of the process that exported, where it is known."""
    times = report.export_times
    if times is None or times.peak_rss_bytes is None:
        return None
    return Measured(float(times.peak_rss_bytes), how="peak RSS of the process that exported")


def layers_text(layers: tuple[LayerError, ...]) -> str:
    """`3 of 21 examined layers kept in float: conv1, fc, ...`; "" where no layer was examined."""
    if not layers:
        return ""
    kept = [layer.name for layer in layers if layer.kept_float]
    if not kept:
        return f"{len(layers):,} layers examined one by one, none had to be kept in float"
    names = listed(kept, most=_OPERATORS, more="layers")
    return f"{len(kept):,} of {len(layers):,} examined layers kept in float: {names}"
