"""Find the layers of a network that suffer most from quantization. The work is done in a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeshrink.compress.networks.quantize import job_parameters
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.quality import LayerError

JOB = "edgeshrink.compress.networks.job:layer_errors"


def onnx_layer_errors(
    float_file: Path,
    *,
    scheme: str,
    samples: Path,
    per_channel: bool = True,
    symmetric_activations: bool = False,
    log: Path | None = None,
    listener: Listener = silent,
) -> tuple[LayerError, ...]:
    """What quantizing each layer alone does to the outputs on `samples`, most sensitive first.

    An error is the relative squared error over up to 16 samples; `kept_float` is False in all. fp32 has none.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.progress import forward

    parameters = job_parameters(float_file, scheme, samples, per_channel, symmetric_activations)
    if scheme == "fp32":
        return ()
    told = forward(listener, "layer errors", unit="layers")
    found: dict[str, Any] = run_job(JOB, parameters, on_event=told, log=log)
    return tuple(LayerError(str(name), str(operator), float(error), False) for name, operator, error in found["layers"])
