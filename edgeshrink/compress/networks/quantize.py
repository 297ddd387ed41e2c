"""Quantize a float ONNX network. The work is done in a child process."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.events import Listener, silent
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.errors import PlanError, UsageError

SCHEMES = ("int8", "int8-dynamic", "int8-weight", "fp16", "fp32")
_QUANTIZE = "edgeshrink.compress.networks.job:quantize"


def quantize_onnx(
    float_file: Path,
    file: Path,
    *,
    scheme: str,
    keep: tuple[str, ...] = (),
    samples: Path | None = None,
    per_channel: bool = True,
    symmetric_activations: bool = False,
    log: Path | None = None,
    listener: Listener = silent,
) -> ExportTimes:
    """Write `file`, the network of `float_file` in `scheme`; how long each stage took, and what was decided.

    int8: weights and activations, ranges measured on `samples` (.npz, required). int8-dynamic: matrix products on
    integers with ranges found while running, other weights int8. int8-weight: weights only. fp16: half precision
    inside. fp32: a copy. `keep` names the nodes that stay float, as `onnx_layer_errors` calls them. `per_channel`: a
    scale per output channel of a weight, else one per tensor; `symmetric_activations` matters to int8 alone. Inputs,
    outputs and dynamic dimensions stay what they are.

    DataError: not an ONNX file, samples that do not fit, or an unknown name in `keep`. UnsupportedModel: quantized
    already, nothing to quantize, for int8 all layers inside control flow, or the result is not valid or not finite.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.job_stages import export_times
    from edgeshrink.runtimes.progress import forward

    parameters = job_parameters(float_file, scheme, samples, per_channel, symmetric_activations)
    given = {**parameters, "file": str(file), "keep": list(keep)}
    told = forward(listener, f"quantize {scheme}", unit="samples")
    return export_times(run_job(_QUANTIZE, given, on_event=told, log=log))


def job_parameters(
    float_file: Path, scheme: str, samples: Path | None, per_channel: bool, symmetric_activations: bool
) -> dict[str, object]:
    """What both jobs take; PlanError for an unknown scheme, UsageError for int8 without samples."""
    if scheme not in SCHEMES:
        raise PlanError(f"onnx has no scheme {scheme!r} for networks", hint=f"its schemes: {', '.join(SCHEMES)}")
    if scheme == "int8" and samples is None:
        raise UsageError("int8 needs calibration samples", hint="give --calibration, or use --scheme int8-dynamic")
    return {
        "float_file": str(float_file),
        "scheme": scheme,
        "samples": None if samples is None else str(samples),
        "per_channel": per_channel,
        "symmetric_activations": symmetric_activations,
    }
