"""Runs in the child process: a torch module through torch.export and PT2E to an ExecuTorch file."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeshrink.core.network import NetworkSource
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.runtimes.torch_network import LoadedNetwork, load

Emit = Callable[[dict[str, object]], None]
PORTS = "edgeshrink_ports"
_SENSITIVITY_SAMPLES = 16
_EXPORT_HINT = (
    "torch.export follows no control flow that depends on values: rewrite that part of forward, or fix the dimension; "
    "torch said: "
)


def write(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file`, `source`, `scheme`, `keep`, `samples`, `per_channel`, `symmetric`, `delegate`; see network.py."""
    stages = _Stages(emit)
    network = _load(parameters, stages)
    scheme, keep = parameters["scheme"], tuple(parameters["keep"])
    program = _export(network, network.module, stages)
    notes: list[str] = []
    way: dict[str, Any] = {}
    if scheme != "fp32":
        from edgeshrink.export.executorch import pt2e

        prepared = _prepared(parameters, network, program, keep, stages)
        stages.begin("convert")
        converted = pt2e.convert(prepared)
        if scheme == "int8-weight":
            from edgeshrink.export.executorch.weight_only import WeightOnlyPartitioner, split_biases

            split_biases(converted)
            way["partitioner"] = WeightOnlyPartitioner
        notes += _left_in_float(program, scheme)
        program = _export(network, converted, stages)
    ports = {"inputs": [asdict(port) for port in network.ports], "outputs": [asdict(port) for port in network.outputs]}
    from edgeshrink.export.executorch.network_lower import lower

    written = lower(program, parameters["delegate"], {PORTS: json.dumps(ports)}, stages.begin, **way)
    stages.begin("write")
    file = Path(parameters["file"])
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as stream:
            written.write_to_file(stream)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return {"stages": stages.end(), "peak_rss_bytes": _peak_rss_bytes(), "notes": notes}


def errors(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`source`, `scheme`, `samples`, `per_channel`, `symmetric`. Returns `errors`: name, operator, error."""
    from edgeshrink.export.executorch import pt2e, sensitivity

    stages = _Stages(emit)
    network = _load(parameters, stages)
    program = _export(network, network.module, stages)
    names = pt2e.layer_names(program.module(), parameters["scheme"])
    prepared = _prepared(parameters, network, program, (), stages)
    samples = _samples(parameters, network)[:_SENSITIVITY_SAMPLES]
    stages.begin("each layer alone")
    found = sensitivity.layer_errors(prepared, names, samples, lambda done: emit({"done": done, "total": len(names)}))
    return {"stages": stages.end(), "errors": [list(entry) for entry in found]}


class _Stages:
    """Names each stage to the parent and times it."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self._seconds: list[tuple[str, float]] = []
        self._now: tuple[str, float] | None = None

    def begin(self, stage: str) -> None:
        self.end()
        self.emit({"stage": stage})
        self._now = (stage, time.monotonic())

    def end(self) -> list[tuple[str, float]]:
        if self._now is not None:
            stage, began = self._now
            self._seconds.append((stage, round(time.monotonic() - began, 3)))
            self._now = None
        return self._seconds


def _load(parameters: dict[str, Any], stages: _Stages) -> LoadedNetwork:
    # Exporting warns thousands of times about torch's own deprecated insides; what fails still raises.
    warnings.simplefilter("ignore")
    stages.begin("load")
    given = parameters["source"]
    return load(NetworkSource(**{**given, "path": Path(given["path"])}))


def _export(network: LoadedNetwork, module: Any, stages: _Stages) -> Any:
    import torch

    stages.begin("torch.export")
    try:
        with torch.no_grad():
            program = torch.export.export(
                module, network.arguments, dynamic_shapes=network.dynamic_shapes(), strict=False
            )
    except Exception as error:  # torch raises anything, down to what the module itself raises on fake tensors
        said = str(error).strip() or type(error).__name__
        raise UnsupportedModel(
            f"{network.source.given}: torch.export cannot trace this network", hint=_EXPORT_HINT + said[:1500]
        ) from error
    # Outside training they do nothing, and would be lowered to copies that cut XNNPACK's pieces in two.
    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten.dropout.default and not node.args[2]:
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    program.graph_module.recompile()
    return program


def _prepared(
    parameters: dict[str, Any], network: LoadedNetwork, program: Any, keep: tuple[str, ...], stages: _Stages
) -> Any:
    """The graph with observers that have seen what they need to."""
    from edgeshrink.export.executorch import pt2e

    stages.begin("prepare")
    prepared = pt2e.prepare(
        program.module(),
        parameters["scheme"],
        keep,
        per_channel=parameters["per_channel"],
        symmetric_activations=parameters["symmetric"],
    )
    # Only static ranges come from samples; one run lets the others' observers see the weights.
    samples = _samples(parameters, network) if parameters["scheme"] == "int8" else [network.arguments]
    stages.begin("calibrate")
    pt2e.calibrate(prepared, samples, lambda done: stages.emit({"done": done, "total": len(samples)}))
    return prepared


def _samples(parameters: dict[str, Any], network: LoadedNetwork) -> list[tuple[Any, ...]]:
    """The samples as tensors in the order of the network's inputs."""
    import torch

    from edgeshrink.catalog.samples import load_samples

    file = Path(parameters["samples"])
    samples = []
    for sample in load_samples(file, names=tuple(network.inputs)).items:
        samples.append(
            tuple(torch.from_numpy(sample.arrays[name]).to(example.dtype) for name, example in network.inputs.items())
        )
    if not samples:
        raise DataError(f"{file} holds no samples", hint="calibration needs at least one")
    return samples


def _left_in_float(program: Any, scheme: str) -> list[str]:
    from edgeshrink.export.executorch import pt2e

    graph = program.module()
    taken = set(pt2e.layer_names(graph, scheme))
    left = [name for name in pt2e.layers_of(graph) if name not in taken]
    if not left:
        return []
    return [
        f"{scheme} leaves {len(left)} convolutions in float, for which XNNPACK has no such kernel: "
        + ", ".join(left[:8])
        + (" ..." if len(left) > 8 else "")
    ]


def _peak_rss_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
