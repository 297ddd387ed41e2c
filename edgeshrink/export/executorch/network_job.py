"""Runs in the child process: a torch module through torch.export and PT2E to an ExecuTorch file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import source_from_json
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.runtimes.executorch_network import PORTS, ports_text
from edgeshrink.runtimes.job_stages import Stages
from edgeshrink.runtimes.torch_network import LoadedNetwork, load

Emit = Callable[[dict[str, object]], None]
_SENSITIVITY_SAMPLES = 16
_EXPORT_HINT = (
    "torch.export follows no control flow that depends on values: rewrite that part of forward, or fix the dimension; "
    "torch said: "
)


def write(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`file`, `source`, `scheme`, `keep`, `samples`, `per_channel`, `symmetric`, `delegate`; see network.py."""
    stages = Stages(emit)
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
            from edgeshrink.export.executorch.weight_only import RULES, split_biases

            split_biases(converted)
            way["rules"] = RULES
        notes += _left_in_float(program, scheme)
        program = _export(network, converted, stages)
    constants = {PORTS: ports_text(network.ports, network.outputs)}
    from edgeshrink.export.executorch.network_lower import lower_network

    delegate, dynamic = str(parameters["delegate"]), bool(network.limits)
    written = lower_network(program, delegate, constants, stages, dynamic=dynamic, **way)
    stages.begin("write")
    file = Path(parameters["file"])
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as stream:
            written.write_to_file(stream)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return stages.result(notes)


def errors(parameters: dict[str, Any], emit: Emit) -> dict[str, object]:
    """`source`, `scheme`, `samples`, `per_channel`, `symmetric`. Returns `errors`: name, operator, error."""
    from edgeshrink.export.executorch import pt2e, sensitivity

    stages = Stages(emit)
    network = _load(parameters, stages)
    program = _export(network, network.module, stages)
    names = pt2e.layer_names(program.module(), parameters["scheme"])
    prepared = _prepared(parameters, network, program, (), stages)
    samples = _samples(parameters, network)[:_SENSITIVITY_SAMPLES]
    stages.begin("each layer alone")
    found = sensitivity.layer_errors(prepared, names, samples, lambda done: stages.step(done, len(names), "layers"))
    return {"errors": [list(entry) for entry in found]}


def _load(parameters: dict[str, Any], stages: Stages) -> LoadedNetwork:
    # Exporting warns thousands of times about torch's own deprecated insides; what fails still raises.
    warnings.simplefilter("ignore")
    stages.begin("load")
    return load(source_from_json(parameters["source"]))


def _export(network: LoadedNetwork, module: Any, stages: Stages) -> Any:
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
    parameters: dict[str, Any], network: LoadedNetwork, program: Any, keep: tuple[str, ...], stages: Stages
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
    pt2e.calibrate(prepared, samples, lambda done: stages.step(done, len(samples), "samples"))
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
