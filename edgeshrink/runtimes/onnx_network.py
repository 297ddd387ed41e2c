"""Networks in ONNX through onnxruntime: one session, and the truth about which provider runs its nodes."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.core.network import Port
from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.checks import require_inputs
from edgeshrink.runtimes.interface import Arrays
from edgeshrink.runtimes.onnx_providers import delegate_of, execution_providers
from edgeshrink.runtimes.packages import missing
from edgeshrink.runtimes.quiet import keep_quiet

# ONNX's element types, as onnxruntime writes them in "tensor(float)".
_DTYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "uint64": "uint64",
    "bool": "bool",
}
_ERRORS_ONLY = 3


def preload_onnx() -> None:
    """Import the library."""
    _library()


def open_onnx(path: Path, *, threads: int, delegate: str, name: str, version: str, build: str) -> OnnxNetwork:
    """Open an .onnx file; its data files are looked for beside it."""
    library = _library()
    if not path.is_file():
        raise RuntimeFailed(f"{path}: there is no such file")
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive":  # see child.run_job
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "not in available provider names": `facts` tells, and callers compare
            session = library.InferenceSession(str(path), options, providers=execution_providers(delegate))
    except Exception as error:  # the library has an exception class for every status
        raise RuntimeFailed(f"{path}: onnxruntime cannot load it: {error}") from error
    inputs = tuple(_port(path, entry) for entry in session.get_inputs())
    outputs = tuple(_port(path, entry) for entry in session.get_outputs())
    facts = RuntimeFacts(
        name=name,
        version=version,
        build_id=build,
        backend=_backend(session, delegate),
        cpu_features=(),
        threads=threads,
        gpu_layers=0,
        context=0,
    )
    return OnnxNetwork(session, inputs, outputs, facts)


def _library() -> Any:
    try:
        keep_quiet()
        import onnxruntime
    except (ImportError, OSError) as error:
        raise missing("onnx", f"onnxruntime cannot be loaded: {error}") from error
    return onnxruntime


def _port(path: Path, entry: Any) -> Port:
    kind = str(entry.type).removeprefix("tensor(").removesuffix(")")
    if kind not in _DTYPES:
        raise RuntimeFailed(f"{path}: {entry.name!r} is a {entry.type}; only tensors of numbers are run here")
    shape = tuple(
        size if isinstance(size, int) else size or f"{entry.name}_{place}" for place, size in enumerate(entry.shape)
    )
    return Port(entry.name, _DTYPES[kind], shape)


def _backend(session: Any, delegate: str) -> str:
    """The delegate that nodes were really given to: "cuda", "cuda+cpu (12 of 340 nodes)" where some fell back, "cpu".

    `get_providers` names what was registered, which says nothing about what runs.
    """
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[delegate_of(str(part.ep_name))] += len(part.get_nodes())
    if not nodes:  # all was folded into constants
        return delegate_of(str(session.get_providers()[0]))
    if delegate != "cpu" and nodes[delegate] and nodes["cpu"]:
        return f"{delegate}+cpu ({nodes['cpu']} of {nodes.total()} nodes)"
    return "+".join(sorted(nodes, key=lambda name: (name == "cpu", name)))


class OnnxNetwork:
    """One loaded .onnx. Made by `open_onnx`; see `interface.NetworkSession`."""

    def __init__(self, session: Any, inputs: tuple[Port, ...], outputs: tuple[Port, ...], facts: RuntimeFacts) -> None:
        self._session = session
        self._facts = facts
        self.inputs = inputs
        self.outputs = outputs
        self._names = [port.name for port in outputs]

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        if self._session is None:
            raise RuntimeFailed("this session is closed")
        require_inputs(self.inputs, inputs)
        try:
            found = self._session.run(self._names, dict(inputs))
        except Exception as error:
            raise RuntimeFailed(f"onnxruntime could not run the network: {error}") from error
        return dict(zip(self._names, found, strict=True))

    def facts(self) -> RuntimeFacts:
        return self._facts

    def close(self) -> None:
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
