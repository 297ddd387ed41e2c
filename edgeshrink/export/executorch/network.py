"""A torch network as an ExecuTorch file (.pte), and which of its layers suffer most from int8.

Everything here runs in a child process. The .pte has two methods: `forward`, with the network's inputs in their
order, and `edgeshrink_ports`, which returns its ports as JSON text (the format itself keeps no names).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_to_json
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.quality import LayerError
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.job_stages import export_times
from edgeshrink.runtimes.progress import forward

SCHEMES = ("int8", "int8-dynamic", "int8-weight", "fp32")
DELEGATES = ("xnnpack", "coreml", "vulkan")
_JOB = "edgeshrink.export.executorch.network_job"


def write_executorch_network(
    file: Path,
    source: NetworkSource,
    *,
    scheme: str,
    keep: Sequence[str] = (),
    samples: Path | None = None,
    per_channel: bool = True,
    symmetric_activations: bool = False,
    delegate: str = "xnnpack",
    log: Path | None = None,
    listener: Listener = silent,
) -> ExportTimes:
    """Write `file`; dynamic dimensions stay dynamic within the network's limits.

    `keep` names layers left in float, or modules that hold some ("layer1.0.conv1", "encoder.layer.3"); `samples` is
    the calibration file that "int8" needs. PlanError: what is asked for cannot be combined; UnsupportedModel: the
    network cannot be exported, has nothing that `scheme` quantizes, or `scheme` has no kernels for these scales.
    """
    _check(source, scheme, samples, per_channel, symmetric_activations, delegate)
    said = run_job(
        f"{_JOB}:write",
        {
            **_asked(source, scheme, samples, per_channel, symmetric_activations),
            "file": str(file),
            "keep": list(keep),
            "delegate": delegate,
        },
        on_event=forward(listener, "export .pte"),
        log=log,
    )
    return export_times(said)


def executorch_layer_errors(
    source: NetworkSource,
    *,
    scheme: str,
    samples: Path,
    per_channel: bool = True,
    symmetric_activations: bool = False,
    log: Path | None = None,
    listener: Listener = silent,
) -> tuple[LayerError, ...]:
    """Each layer that `scheme` quantizes, alone, against the float network: most sensitive first.

    `error` is the relative squared error of the outputs over the first samples of the calibration file; the names
    are what `keep` takes. No layer is marked as kept.
    """
    _check(source, scheme, samples, per_channel, symmetric_activations, "xnnpack")
    said: dict[str, Any] = run_job(
        f"{_JOB}:errors",
        _asked(source, scheme, samples, per_channel, symmetric_activations),
        on_event=forward(listener, "layer errors"),
        log=log,
    )
    return tuple(LayerError(name, operator, error, kept_float=False) for name, operator, error in said["errors"])


def _asked(
    source: NetworkSource, scheme: str, samples: Path | None, per_channel: bool, symmetric: bool
) -> dict[str, object]:
    return {
        "source": source_to_json(source),
        "scheme": scheme,
        "samples": str(samples) if samples and scheme != "fp32" else None,
        "per_channel": per_channel,
        "symmetric": symmetric,
    }


def _check(
    source: NetworkSource, scheme: str, samples: Path | None, per_channel: bool, symmetric: bool, delegate: str
) -> None:
    if source.kind == "onnx":
        raise UnsupportedModel(
            f"{source.given}: an ONNX file cannot become a .pte: ExecuTorch exports torch modules",
            hint="use --format onnx, or give the torch module as package.module:function",
        )
    if scheme not in SCHEMES:
        raise PlanError(f"unknown scheme {scheme!r} for an ExecuTorch network", hint=f"schemes: {', '.join(SCHEMES)}")
    if delegate not in DELEGATES:
        raise PlanError(f"unknown ExecuTorch delegate {delegate!r}", hint=f"delegates: {', '.join(DELEGATES)}")
    if scheme == "fp32":
        return
    if delegate != "xnnpack":
        raise PlanError(
            f"{scheme} quantizes by the rules of XNNPACK, and the delegate is {delegate}", hint="use fp32 with it"
        )
    if scheme == "int8" and samples is None:
        raise PlanError("int8 needs samples to calibrate on", hint="give --calibration, or use int8-dynamic")
    if scheme != "int8" and not per_channel:
        raise UnsupportedModel(
            f"{scheme} with one scale a tensor: XNNPACK multiplies such weights per channel only",
            hint="set per_channel, or use int8",
        )
    if scheme == "int8-dynamic" and symmetric:
        raise UnsupportedModel(
            "int8-dynamic with symmetric activations: XNNPACK chooses a zero point for every row at run time",
            hint="leave symmetric_activations out, or use int8",
        )
