"""A safetensors file with metadata whose bytes follow from its content: the library writes its keys in an order that
changes from run to run. Source: safetensors' own description of the format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {
    "float32": "F32",
    "float16": "F16",
    "float64": "F64",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "int64": "I64",
}


def write_arrays(file: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write `arrays`, by name in order, to `file`. KeyError for a type of number that is not in the table."""
    entries: dict[str, Any] = {"__metadata__": {key: metadata[key] for key in sorted(metadata)}}
    offset = 0
    for name in sorted(arrays):
        array = arrays[name]
        end = offset + array.nbytes
        entries[name] = {"dtype": _TYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little"))
        stream.write(header)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            stream.write(array.astype(array.dtype.newbyteorder("<"), copy=False).data if array.size else b"")
