"""A look at llama.cpp's compute graph while it runs: the few fields of `struct ggml_tensor` that this needs.

Source: ggml/include/ggml.h of the llama.cpp inside llama-cpp-python 0.3.36. The layout is not part of its promise, so
`check_layout` compares it with ggml's own accessors on a live tensor before anything is believed.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.importance import Floats
from edgeshrink.errors import RuntimeFailed
from edgeshrink.ggml.library import load

_F32, _I32 = 0, 26


class Tensor(ctypes.Structure):
    """`struct ggml_tensor`, up to its name."""


_TensorPointer = ctypes.POINTER(Tensor)
Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", _TensorPointer * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


@dataclass(frozen=True, slots=True)
class Accessors:
    """ggml's own functions over a tensor; `libggml-base` exports them."""

    library: Any

    @classmethod
    def load(cls) -> Accessors:
        library = load()
        for name, result in (
            ("ggml_op_desc", ctypes.c_char_p),
            ("ggml_get_name", ctypes.c_void_p),
            ("ggml_get_data", ctypes.c_void_p),
            ("ggml_nbytes", ctypes.c_size_t),
            ("ggml_nrows", ctypes.c_int64),
            ("ggml_nelements", ctypes.c_int64),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, [ctypes.c_void_p]
        library.ggml_backend_tensor_get.restype = None
        library.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_size_t] * 2
        return cls(library)

    def operation(self, address: int) -> str:
        return bytes(self.library.ggml_op_desc(address)).decode()

    def check_layout(self, address: int) -> None:
        """RuntimeFailed where this llama.cpp lays its tensors out in another way than the structure above."""
        tensor = Tensor.from_address(address)
        shape = list(tensor.ne)
        agrees = (
            self.library.ggml_get_name(address) == address + Tensor.name.offset
            and self.library.ggml_get_data(address) == tensor.data
            and self.library.ggml_nelements(address) == int(np.prod(shape))
            and self.library.ggml_nrows(address) == int(np.prod(shape[1:]))
        )
        if not agrees:
            raise RuntimeFailed(
                "this build of llama.cpp lays out its tensors in a way that edgeshrink does not know",
                hint="use the llama-cpp-python version that edgeshrink requires, or give --imatrix FILE",
            )

    def rows(self, address: int) -> Floats:
        """Activations as rows, shape (rows, columns)."""
        found = self._copy(address, _F32, np.float32)
        return found.reshape(-1, found.shape[-1])

    def rows_of_tokens(self, address: int) -> Floats:
        """What enters experts: shape (tokens, 1 or as many as a token uses, columns)."""
        found: Floats = self._copy(address, _F32, np.float32)[0]
        return found

    def chosen(self, address: int) -> NDArray[np.int32]:
        """Which experts each token uses, shape (tokens, used)."""
        found: NDArray[np.int32] = self._copy(address, _I32, np.int32)[0, 0]
        return found

    def _copy(self, address: int, kind: int, dtype: type[np.generic]) -> NDArray[Any]:
        """All four dimensions, outermost first: a view of a fresh copy of the bytes, strides obeyed."""
        tensor = Tensor.from_address(address)
        if tensor.type != kind:
            raise RuntimeFailed(f"a tensor of ggml type {tensor.type} enters a weight, expected {kind}")
        nbytes = int(self.library.ggml_nbytes(address))
        raw = np.empty(nbytes, dtype=np.uint8)
        self.library.ggml_backend_tensor_get(address, raw.ctypes.data, 0, nbytes)
        shape, strides = tuple(tensor.ne)[::-1], tuple(tensor.nb)[::-1]
        return np.ndarray(shape, dtype=dtype, buffer=raw, strides=strides)
