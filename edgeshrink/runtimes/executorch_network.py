"""Networks in a .pte through the ExecuTorch runtime: the method `forward`, its inputs and outputs by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.core.network import Port
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes import executorch_library as library
from edgeshrink.runtimes.checks import require_inputs
from edgeshrink.runtimes.interface import Arrays

PORTS = "edgeshrink_ports"
"""A constant method with JSON text: {"inputs": [{"name", "dtype", "shape"}], "outputs": [...]}, in forward's order."""
_FORWARD = "forward"
# runtime/core/portable_type/scalar_type.h
_DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
}


def open_pte(path: Path, *, threads: int, name: str, version: str, build: str) -> PteNetwork:
    """Open a .pte; names of inputs and outputs are those its build wrote, else input_0, output_0 and so on."""
    program = library.open_program(path)
    if _FORWARD not in library.method_names(program):
        raise RuntimeFailed(f"{path} has no method {_FORWARD!r}")
    backend = library.require_backends(path)
    inputs, outputs = _ports(path, program)
    library.set_threads(threads)
    method = library.load_method(path, program, _FORWARD)
    facts = RuntimeFacts(
        name=name,
        version=version,
        build_id=build,
        backend=backend,
        cpu_features=(),
        threads=library.threads(),
        gpu_layers=0,
        context=0,
    )
    return PteNetwork(program, method, inputs, outputs, facts)


def ports_text(inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
    """What the method `PORTS` of a new file returns."""
    return json.dumps({"inputs": [asdict(port) for port in inputs], "outputs": [asdict(port) for port in outputs]})


def _ports(path: Path, program: Any) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    written = library.constants(program, PORTS)
    if written:
        try:
            said = json.loads(written[0])
            inputs, outputs = (
                tuple(Port(entry["name"], entry["dtype"], tuple(entry["shape"])) for entry in said[side])
                for side in ("inputs", "outputs")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RuntimeFailed(f"{path}: the names of its inputs cannot be read: {error}") from error
        return inputs, outputs
    meta = program.method_meta(_FORWARD)
    return (
        tuple(_port(f"input_{i}", meta.input_tensor_meta(i)) for i in range(meta.num_inputs())),
        tuple(_port(f"output_{i}", meta.output_tensor_meta(i)) for i in range(meta.num_outputs())),
    )


def _port(name: str, info: Any) -> Port:
    """From the file's own metadata, which knows upper bounds: a dimension that varies cannot be told from a fixed one,
    so all but the number of dimensions is left to the runtime."""
    dtype = int(info.dtype())
    if dtype not in _DTYPES:
        raise RuntimeFailed(f"{name} has element type {dtype}, which numpy has not")
    return Port(name, _DTYPES[dtype], tuple(f"up to {size}" for size in info.sizes()))


class PteNetwork:
    """One loaded .pte. Made by `open_pte`; see `interface.NetworkSession`."""

    def __init__(
        self, program: Any, method: Any, inputs: tuple[Port, ...], outputs: tuple[Port, ...], facts: RuntimeFacts
    ) -> None:
        self._program = program  # its memory is the method's
        self._method = method
        self._facts = facts
        self.inputs = inputs
        self.outputs = outputs
        library.hold_threads(self)

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        if self._method is None:
            raise RuntimeFailed("this session is closed")
        require_inputs(self.inputs, inputs)
        tensors = [self._tensor(inputs[port.name]) for port in self.inputs]
        try:
            found = self._method(tensors, clone_outputs=False)
        except RuntimeError as error:
            raise RuntimeFailed(f"ExecuTorch could not run the network: {library.words(error)}") from error
        # The method's own memory: copied before the next run writes there.
        return {port.name: value.numpy().copy() for port, value in zip(self.outputs, found, strict=True)}

    def facts(self) -> RuntimeFacts:
        return self._facts

    def close(self) -> None:
        self._method = None
        self._program = None
        library.release_threads(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        library.release_threads(self)

    def _tensor(self, array: NDArray[Any]) -> Any:
        whole = np.ascontiguousarray(array)
        return library.tensor(whole if whole.flags.writeable else whole.copy())
