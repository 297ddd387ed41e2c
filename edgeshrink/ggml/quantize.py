"""Rows of float32 to GGML blocks and back, bit for bit as libggml does it.

Rows are independent of each other, so slicing and threads never change a byte.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.quant_types import QuantType, quant_type
from edgeshrink.errors import StepFailed
from edgeshrink.ggml.library import load

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
_CHUNK_WEIGHTS = 1 << 18


def quantize_rows(values: Floats, type: str, importance: Floats | None, threads: int) -> Bytes:
    """`values` (rows, row) as (rows, bytes of a row). `importance` (row,) weighs the columns.

    StepFailed where a value is not finite, or the type cannot take the row or hold a value.
    """
    wanted = quant_type(type)
    rows, row = values.shape
    out = np.empty((rows, wanted.row_bytes(row)), np.uint8)
    values = np.ascontiguousarray(values, np.float32)
    check_finite(values)
    if threads <= 1:
        quantize_into(out, values, type, importance)
        return out
    step = max(1, _CHUNK_WEIGHTS // row)
    with ThreadPoolExecutor(threads) as pool:
        chunks = [slice(at, at + step) for at in range(0, rows, step)]
        list(pool.map(lambda chunk: quantize_into(out[chunk], values[chunk], type, importance), chunks))
    return out


def quantize_into(out: Bytes, values: Floats, type: str, importance: Floats | None = None) -> None:
    """Quantize `values` (rows, row), all finite, into `out`, rows x bytes of a row; both C-contiguous. One thread."""
    wanted = quant_type(type)
    rows, row = values.shape
    _check(out, values, wanted, importance)
    library = load()
    weights = None if importance is None else np.ascontiguousarray(importance, np.float32)
    columns = None if weights is None else weights.ctypes.data
    library.ggml_quantize_chunk(wanted.ggml_id, values.ctypes.data, out.ctypes.data, 0, rows, row, columns)
    if wanted.is_quantized:
        sound = bool(library.ggml_validate_row_data(wanted.ggml_id, out.ctypes.data, out.nbytes))
    else:
        sound = _all_finite(out, wanted.name)
    if not sound:
        largest = float(np.abs(values).max())
        raise StepFailed(f"its values (up to {largest:.4g}) are more than {wanted.name} holds", hint="take BF16 for it")


def dequantize(data: bytes | Bytes, type: str, row: int) -> Floats:
    """Blocks back to float32 (rows, row), by libggml's own function."""
    wanted = quant_type(type)
    blocks = np.ascontiguousarray(np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data).reshape(-1)
    if not wanted.takes_row(row) or blocks.nbytes % wanted.row_bytes(row):
        raise StepFailed(f"{blocks.nbytes} bytes are not whole {wanted.name} rows of {row}")
    if wanted.name == "F32":
        return blocks.view(np.float32).reshape(-1, row).copy()
    values = np.empty((blocks.nbytes // wanted.row_bytes(row), row), np.float32)
    load().ggml_get_type_traits(wanted.ggml_id).contents.to_float(blocks.ctypes.data, values.ctypes.data, values.size)
    return values


def check_finite(values: NDArray[Any], type: str = "F32") -> None:
    """StepFailed where a value is NaN or infinite; `values` holds numbers or raw bytes of `type` (F32, F16, BF16)."""
    if not _all_finite(values, type):
        raise StepFailed("it has values that are not finite (NaN or infinity)", hint="the source model is damaged")


def check_blocks(blocks: Bytes, type: str) -> None:
    """StepFailed where blocks of a type that quantizes hold a scale that is not finite."""
    if not load().ggml_validate_row_data(quant_type(type).ggml_id, blocks.ctypes.data, blocks.nbytes):
        raise StepFailed(f"its {type} blocks hold scales that are not finite", hint="the source model is damaged")


def _all_finite(values: NDArray[Any], type: str) -> bool:
    infinity = {"F32": 0x7F800000, "F16": 0x7C00, "BF16": 0x7F80}[type]
    unsigned, magnitude = (np.uint32, 0x7FFFFFFF) if type == "F32" else (np.uint16, 0x7FFF)
    bits: NDArray[Any] = values.reshape(-1).view(unsigned)
    step = 1 << 16  # the masked copy stays in the cache
    return all(int((bits[at : at + step] & magnitude).max()) < infinity for at in range(0, bits.size, step))


def _check(out: Bytes, values: Floats, wanted: QuantType, importance: Floats | None) -> None:
    # libggml asserts, and an assertion there ends the process.
    rows, row = values.shape
    if not wanted.takes_row(row):
        raise StepFailed(f"rows of {row} are not a multiple of {wanted.block_elements}, which {wanted.name} needs")
    if not (values.flags.c_contiguous and out.flags.c_contiguous and values.dtype == np.float32):
        raise StepFailed(f"rows for {wanted.name} must be contiguous float32, not {values.dtype}")
    needed = rows * wanted.row_bytes(row)
    if out.nbytes != needed:
        raise StepFailed(f"{rows} rows of {row} as {wanted.name} take {needed} bytes, not {out.nbytes}")
    if importance is not None and importance.shape != (row,):
        raise StepFailed(f"its importance has {importance.size} columns, its rows have {row}")
    if importance is not None and not np.isfinite(importance).all():
        raise StepFailed("its importance has values that are not finite", hint="compute the imatrix again")
