"""Networks in a .pte: the method `forward`, its inputs and outputs by the names that the build wrote into the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelUnopenable
from .pte import Program

_PORTS = "edgeshrink_ports"


def open_network(path: Path, *, threads: int) -> PteNetwork:
    return PteNetwork(Program(path, threads=threads))


class PteNetwork:
    """See `engine.NetworkSession`; without names of their own, inputs are input_0, input_1 and so on."""

    def __init__(self, program: Program) -> None:
        self._program = program
        written = program.constants(_PORTS)
        said: dict[str, Any] = json.loads(written[0]) if written else {}
        self.inputs = _names(said, "inputs", int(program.meta.num_inputs()))
        self.outputs = _names(said, "outputs", int(program.meta.num_outputs()))

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if set(inputs) != set(self.inputs):
            raise ModelUnopenable(f"the network takes {', '.join(self.inputs)}, not {', '.join(sorted(inputs))}")
        arrays = [np.ascontiguousarray(inputs[name]) for name in self.inputs]
        found = self._program.call([array if array.flags.writeable else array.copy() for array in arrays])
        return {name: value.copy() for name, value in zip(self.outputs, found, strict=True)}

    def close(self) -> None:
        self._program.close()


def _names(said: Mapping[str, Any], side: str, count: int) -> tuple[str, ...]:
    named = tuple(str(port["name"]) for port in said.get(side, ()))
    return named if len(named) == count else tuple(f"{side[:-1]}_{number}" for number in range(count))
