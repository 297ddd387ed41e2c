"""The ExecuTorch runtime in its wheel: loaded lean, its operators registered, its threads set, its files opened.

`import executorch.runtime` brings the whole export side (torchao, the compiler) along; the binding beneath it needs
torch alone. Run in a child process: it writes to stderr, and a damaged file can end the process.
"""

from __future__ import annotations

import functools
import re
import struct
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.packages import missing

EXTRA = "executorch"
DISTRIBUTIONS = (("executorch",), ("torch",), ("pytorch-tokenizers",))
# Operators that are no part of the binding: attention with a cache, quantized embeddings.
_OPERATORS = ("extension/llm/custom_ops", "custom_ops_aot_lib"), ("kernels/quantized", "quantized_ops_aot_lib")
# runtime/core/error.h
_ERRORS = {
    0x01: "Internal",
    0x02: "InvalidState",
    0x10: "NotSupported: an input has another type, or is larger, than the file takes",
    0x11: "NotImplemented",
    0x12: "InvalidArgument",
    0x13: "InvalidType",
    0x14: "OperatorMissing: this build lacks an operator that the file needs",
    0x20: "NotFound: this build lacks a backend that the file needs",
    0x21: "MemoryAllocationFailed",
    0x22: "AccessFailed",
    0x23: "InvalidProgram: it is no whole .pte file",
    0x24: "InvalidExternalData",
    0x25: "OutOfResources",
    0x30: "DelegateInvalidCompatibility: the delegate's part was made for another version",
    0x31: "DelegateMemoryAllocationFailed",
    0x32: "DelegateInvalidHandle",
}
_CODE = re.compile(r"error:? 0x:?([0-9a-fA-F]+)")
# Names of backends in a file -> delegates as a plan names them.
BACKENDS = {
    "XnnpackBackend": "xnnpack",
    "CoreMLBackend": "coreml",
    "VulkanBackend": "vulkan",
    "MPSBackend": "mps",
    "QnnBackend": "qnn",
    "OpenvinoBackend": "openvino",
    "CudaBackend": "cuda",
    "MetalBackend": "metal",
}
_HEADER = struct.Struct("<4s4sIQQ")
# Sessions that are open in this process: their methods hold the thread pool.
_open_sessions: set[int] = set()


@functools.cache
def library() -> Any:
    """The binding, with all operators of the wheel."""
    try:
        import torch  # its libraries are what the binding links to
        from executorch.extension.pybindings import _C

        root = Path(str(_C.__file__)).parents[2]
        for folder, name in _OPERATORS:
            for file in (root / folder).glob(f"*{name}.*"):
                torch.ops.load_library(file)
    except (ImportError, OSError) as error:
        raise missing(EXTRA, f"ExecuTorch cannot be loaded: {error}") from error
    return _C


def tensor(array: NDArray[Any]) -> Any:
    """A torch tensor over the memory of `array`."""
    import torch

    return torch.from_numpy(array)


def set_threads(count: int) -> None:
    """Give the thread pool `count` threads. RuntimeFailed where an open session holds one of another size.

    Attention multiplies matrices with torch's library, whose OpenMP threads are a second pool: with another number of
    them both pools wait for each other (seen: a prefill of 100 tokens took 2 s of CPU instead of 15 ms).
    """
    import torch

    binding = library()
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    has = int(binding._threadpool_get_thread_count())
    if has == count:
        return
    if _open_sessions:
        raise RuntimeFailed(
            f"ExecuTorch has one thread pool a process, of {has} threads now, and another session uses it",
            hint="close that session first, or ask for as many threads",
        )
    binding._unsafe_reset_threadpool(count)


def threads() -> int:
    """Threads of the pool, as the library counts them."""
    return int(library()._threadpool_get_thread_count())


def hold_threads(owner: object) -> None:
    """`owner` has a method loaded: the pool may not change."""
    _open_sessions.add(id(owner))


def release_threads(owner: object) -> None:
    _open_sessions.discard(id(owner))


def open_program(path: Path) -> Any:
    """The program in `path`, mapped, its structure verified; no method is loaded."""
    if not path.is_file():
        raise RuntimeFailed(f"{path}: there is no such file")
    binding = library()
    try:
        return binding._load_program(str(path), program_verification=binding.Verification.InternalConsistency)
    except RuntimeError as error:
        raise RuntimeFailed(f"{path}: ExecuTorch cannot load it: {words(error)}") from error


def load_method(path: Path, program: Any, name: str) -> Any:
    """The method `name`, ready to run."""
    try:
        return program.load_method(name)
    except RuntimeError as error:
        raise RuntimeFailed(f"{path}: ExecuTorch cannot load its method {name}: {words(error)}") from error


def method_names(program: Any) -> frozenset[str]:
    return frozenset(program.get_method_name(number) for number in range(program.num_methods()))


def constants(program: Any, name: str) -> list[Any]:
    """What a method without inputs returns: numbers or text that were written into the file; [] where there is none."""
    if name not in method_names(program):
        return []
    try:
        return list(program.load_method(name)([]))
    except RuntimeError as error:
        raise RuntimeFailed(f"ExecuTorch cannot read {name}: {words(error)}") from error


def backends(path: Path) -> tuple[str, ...]:
    """Backends that the file's delegate calls name, read from the program before its data segments."""
    with path.open("rb") as file:
        head = file.read(8 + _HEADER.size)
        if len(head) < 4 + _HEADER.size or head[4:6] != b"ET":
            return ()
        _, magic, _, size, _ = _HEADER.unpack_from(head, 4)
        file.seek(0)
        program = file.read(size) if magic == b"eh00" else file.read()
    return tuple(name for name in BACKENDS if struct.pack("<I", len(name)) + name.encode() + b"\0" in program)


def require_backends(path: Path) -> str:
    """What will compute: "xnnpack", or "portable" (the runtime's own operators) where the file delegates nothing.

    RuntimeFailed where the file was lowered for a backend that this build has not.
    """
    used = backends(path)
    has = set(library()._get_registered_backend_names())
    absent = [name for name in used if name not in has]
    if absent:
        raise RuntimeFailed(
            f"{path} was lowered for {', '.join(BACKENDS[name] for name in absent)}, which this machine cannot run",
            hint="copy the file to a device that has it, or build with --delegate xnnpack",
        )
    return "+".join(BACKENDS[name] for name in used) or "portable"


def words(error: Exception) -> str:
    """The library's words, with the name of its error code. What it knows beyond that it has written to stderr."""
    text = str(error)
    code = _CODE.search(text)
    meaning = _ERRORS.get(int(code[1], 16)) if code else None
    return f"{text} ({meaning})" if meaning else text
