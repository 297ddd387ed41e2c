"""The reference: a network in eager torch, float32, behind the interface of every runtime's networks."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.core.network import NetworkSource, Port
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.checks import require_inputs
from edgeshrink.runtimes.interface import Arrays
from edgeshrink.runtimes.torch_network.loading import load, outputs_of


class TorchSession:
    """One loaded module. Fits edgeshrink.runtimes.interface.NetworkSession."""

    def __init__(self, source: NetworkSource, *, threads: int = 0) -> None:
        """`threads` 0 leaves torch's own number. Errors as `load`."""
        import torch

        self.network = load(source)
        if threads > 0:
            torch.set_num_threads(threads)
        self._threads = torch.get_num_threads()
        self._module: Any = self.network.module

    @property
    def inputs(self) -> tuple[Port, ...]:
        return self.network.ports

    @property
    def outputs(self) -> tuple[Port, ...]:
        return self.network.outputs

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Every output by name; RuntimeFailed names an input that is missing or wrong."""
        import torch

        if self._module is None:
            raise RuntimeFailed("the network is closed")
        require_inputs(self.inputs, inputs)
        tensors = {port.name: torch.from_numpy(np.array(inputs[port.name])) for port in self.inputs}
        try:
            found = outputs_of(self._module, tensors)
        except Exception as problem:
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise RuntimeFailed(f"the torch module failed: {first}") from problem
        return {port.name: tensor.numpy() for port, tensor in zip(self.outputs, found, strict=True)}

    def facts(self) -> RuntimeFacts:
        import torch

        version = torch.__version__
        return RuntimeFacts("torch", version, version, "cpu", (), self._threads, 0, 0)

    def close(self) -> None:
        self._module = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
