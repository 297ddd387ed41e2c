"""Write a network as a float32 ONNX file. The work is done in a child process."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.networks import source_to_json
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.export_times import ExportTimes
from edgeshrink.core.network import NetworkSource

JOB = "edgeshrink.export.onnx.network_job:job"


def write_onnx_network(
    file: Path, source: NetworkSource, *, log: Path | None = None, listener: Listener = silent
) -> ExportTimes:
    """Write `file`, one self-contained .onnx in float32; how long each stage took.

    Input and output names and dynamic dimensions are the source's; layers are named as the source's modules. An ONNX
    source is checked and copied, its external data inside. What the file computes is compared with the module on the
    example inputs, at two sizes of each dynamic dimension.

    DataError, UnsupportedModel: the source is wrong, or cannot be written as ONNX. ParityError: the file computes
    something else than the module. Nothing half-written stays.
    """
    from edgeshrink.runtimes.child import run_job
    from edgeshrink.runtimes.job_stages import export_times
    from edgeshrink.runtimes.progress import forward

    parameters = {"file": str(file), "source": source_to_json(source), "log": None if log is None else str(log)}
    return export_times(run_job(JOB, parameters, on_event=forward(listener, "export .onnx"), log=log))
