"""The ExecuTorch runtime in its wheel: its operators registered, its threads set, a .pte opened.

`import executorch.runtime` brings the whole export side along; the binding beneath it needs torch alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .errors import ModelUnopenable

FORWARD = "forward"
# Operators that are no part of the binding: attention with a cache, quantized embeddings.
_OPERATORS = ("extension/llm/custom_ops", "custom_ops_aot_lib"), ("kernels/quantized", "quantized_ops_aot_lib")


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    try:
        from executorch.extension.pybindings import _C
        from torch import ops  # its libraries are what the binding links to

        load: Callable[[str], None] = ops.load_library
        root = Path(str(_C.__file__)).parents[2]
        for folder, name in _OPERATORS:
            for file in (root / folder).glob(f"*{name}.*"):
                load(str(file))
    except (ImportError, OSError) as error:
        raise ModelUnopenable(f"ExecuTorch cannot be loaded: {error}") from error
    return _C


class Program:
    """One .pte; `path` is the file, or a folder that holds one. Its method `forward` is ready to run."""

    def __init__(self, path: Path, *, threads: int) -> None:
        files = sorted(path.glob("*.pte")) if path.is_dir() else [path]
        if len(files) != 1:
            raise ModelUnopenable(f"{path} holds {len(files)} .pte files, expected one")
        binding = _library()
        _set_threads(binding, threads)
        self.path = files[0]
        try:
            self._program = binding._load_program(
                str(self.path), program_verification=binding.Verification.InternalConsistency
            )
            self.meta = self._program.method_meta(FORWARD)
            self._method = self._program.load_method(FORWARD)
        except RuntimeError as error:
            raise ModelUnopenable(f"{self.path}: ExecuTorch cannot load it: {error}") from error

    def constants(self, name: str) -> list[Any]:
        """What a method without inputs returns, written into the file; [] where there is none of that name."""
        names = {self._program.get_method_name(number) for number in range(self._program.num_methods())}
        return list(self._program.load_method(name)([])) if name in names else []

    def call(self, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Views of the method's own memory: the next call writes there."""
        import torch

        try:
            found = self._method([torch.from_numpy(array) for array in arrays], clone_outputs=False)
        except RuntimeError as error:
            raise ModelUnopenable(f"{self.path}: ExecuTorch could not compute: {error}") from error
        return [value.numpy() for value in found]

    def close(self) -> None:
        self._method = self.meta = self._program = None


def _set_threads(binding: Any, count: int) -> None:
    """Both pools alike: attention multiplies with torch's threads, and pools of two sizes wait for each other."""
    import torch

    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    if int(binding._threadpool_get_thread_count()) != count:
        binding._unsafe_reset_threadpool(count)
