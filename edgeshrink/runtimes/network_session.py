"""A source's own session: what its built files are compared with. For child processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from edgeshrink.catalog.sample_states import state_pairs
from edgeshrink.catalog.samples import Sample
from edgeshrink.core.network import NetworkSource
from edgeshrink.runtimes.interface import NetworkSession


def open_source(source: NetworkSource, *, threads: int) -> NetworkSession:
    """The float network: eager torch, or onnxruntime for an .onnx file. Errors as those two."""
    if source.kind == "onnx":
        from edgeshrink.runtimes.registry import runtime

        return runtime("onnx").open_network(source.path, threads=threads, delegate="cpu")
    from edgeshrink.runtimes.torch_network import TorchSession

    return TorchSession(source, threads=threads)


def run_in_order(
    session: NetworkSession, samples: Sequence[Sample]
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]]:
    """(inputs, outputs) of every sample; a sample that goes on from the one before takes the state it gave.

    A state that a sample leaves out at a beginning is zero, its varying sizes those of the sample's other inputs, or 1.
    """
    pairs = state_pairs(session.inputs, session.outputs)
    before: Mapping[str, NDArray[Any]] = {}
    for sample in samples:
        inputs = dict(sample.arrays)
        if not sample.begins:
            inputs |= {name: before[output] for name, output in pairs.items() if output in before}
        for name in pairs.keys() - inputs.keys():
            inputs[name] = _zero_state(session, name, inputs)
        outputs = session.run(inputs)
        before = outputs
        yield inputs, outputs


def _zero_state(session: NetworkSession, name: str, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    import numpy as np

    sizes = {
        called: size
        for port in session.inputs
        if port.name in inputs
        for called, size in zip(port.shape, inputs[port.name].shape, strict=False)
        if isinstance(called, str)
    }
    port = next(port for port in session.inputs if port.name == name)
    shape = tuple(sizes.get(size, 1) if isinstance(size, str) else size for size in port.shape)
    return np.zeros(shape, dtype=port.dtype)
