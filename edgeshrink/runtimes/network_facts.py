"""A network before anything is built: its ports and sizes, asked in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeshrink.catalog.networks import port_from_json, port_to_json, source_from_json, source_to_json
from edgeshrink.core.network import NetworkFacts, NetworkSource

_JOBS = {
    "function": "edgeshrink.runtimes.torch_network.facts:facts_job",
    "huggingface": "edgeshrink.runtimes.torch_network.facts:facts_job",
    "onnx": "edgeshrink.runtimes.onnx_facts:facts_job",
}


def network_facts(source: NetworkSource, *, log: Path | None = None) -> NetworkFacts:
    """The facts of `source`. DataError, UnsupportedModel: it cannot be built, and why; ToolMissing: no torch, no onnx.

    A child process loads it: the person's function runs there, and so do torch and onnx.
    """
    from edgeshrink.runtimes.child import run_job

    return facts_from_json(run_job(_JOBS[source.kind], {"source": source_to_json(source)}, log=log))


def facts_to_json(facts: NetworkFacts) -> dict[str, object]:
    """`facts` as what a job returns or takes."""
    return {
        "source": source_to_json(facts.source),
        "name": facts.name,
        "family": facts.family,
        "inputs": [port_to_json(port) for port in facts.inputs],
        "outputs": [port_to_json(port) for port in facts.outputs],
        "parameters": facts.parameters,
        "weight_elements": facts.weight_elements,
        "dtype": facts.dtype,
        "scores": facts.scores,
        "files": [str(file) for file in facts.files],
        "notes": list(facts.notes),
        "weights_sha256": facts.weights_sha256,
        "limits": [list(limit) for limit in facts.limits],
        "labels": list(facts.labels),
        "packages": list(facts.packages),
    }


def facts_from_json(found: Mapping[str, Any]) -> NetworkFacts:
    """`facts_to_json` back."""
    return NetworkFacts(
        source=source_from_json(found["source"]),
        name=found["name"],
        family=found["family"],
        inputs=tuple(port_from_json(port) for port in found["inputs"]),
        outputs=tuple(port_from_json(port) for port in found["outputs"]),
        parameters=found["parameters"],
        weight_elements=found["weight_elements"],
        dtype=found["dtype"],
        scores=found["scores"],
        files=tuple(Path(file) for file in found["files"]),
        notes=tuple(found["notes"]),
        weights_sha256=found["weights_sha256"],
        limits=tuple((name, low, high) for name, low, high in found["limits"]),
        labels=tuple(found["labels"]),
        packages=tuple(found["packages"]),
    )
