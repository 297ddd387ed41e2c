"""The predicted size is the size of what gguf's own writer writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.plan import TensorPlan
from edgeshrink.planning.gguf_size import gguf_file_bytes

ARCHITECTURE = KeyValue("general.architecture", "string", "llama")
NUMBERS = tuple(
    KeyValue(f"number.{kind}", kind, 1)  # type: ignore[arg-type]
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
)
EVERY_KIND = (
    ARCHITECTURE,
    *NUMBERS,
    KeyValue("a.float", "float32", 0.5),
    KeyValue("a.double", "float64", 0.5),
    KeyValue("a.bool", "bool", True),
    KeyValue("a.string", "string", "naïve 東京"),
    KeyValue("a.bytes", "string", b"\xff\x00"),
    KeyValue("tokens", "string", (b"\xe2\x96\x81", "é", "")),
    KeyValue("scores", "float32", (0.0, -1.5)),
    KeyValue("flags", "bool", (True, False, True)),
    KeyValue("types", "int32", (1, 2, 3, 4, 5)),
)
TENSORS = (
    TensorPlan("norm.weight", "", (3,), "F32", ""),
    TensorPlan("blk.0.attn_q.weight", "", (5, 256), "Q6_K", ""),
    TensorPlan("blk.0.ffn_down.weight", "", (3, 172), "F16", ""),
    TensorPlan("experts.weight", "", (2, 3, 32), "Q4_0", ""),
    TensorPlan("last.weight", "", (1, 256), "Q3_K", ""),
)


def written(path: Path, metadata: tuple[KeyValue, ...], tensors: tuple[TensorPlan, ...], align: int) -> int:
    writer = gguf.GGUFWriter(path, "llama")
    for entry in metadata[1:]:
        kind = gguf.GGUFValueType[entry.type.upper()]
        given: dict[str, Any] = {"val": entry.value, "vtype": kind}
        if isinstance(entry.value, tuple):
            given = {"val": entry.value, "vtype": gguf.GGUFValueType.ARRAY, "sub_type": kind}
        writer.add_key_value(entry.key, **given)
    writer.data_alignment = align
    for plan in tensors:
        data = np.zeros((*plan.shape[:-1], plan.nbytes * plan.shape[-1] // plan.elements), np.uint8)
        writer.add_tensor(plan.name, data, raw_dtype=gguf.GGMLQuantizationType[plan.type])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.stat().st_size


@pytest.mark.parametrize("count", range(len(EVERY_KIND)))
def test_size_is_exact_with_every_kind_of_entry_and_every_padding(count: int, tmp_path: Path) -> None:
    metadata = EVERY_KIND[: count + 1]
    tensors = TENSORS[: count % len(TENSORS) + 1]
    assert gguf_file_bytes(metadata, tensors) == written(tmp_path / "m.gguf", metadata, tensors, 32)


def test_another_alignment_is_obeyed(tmp_path: Path) -> None:
    metadata = (ARCHITECTURE, KeyValue("general.alignment", "uint32", 256))
    assert gguf_file_bytes(metadata, TENSORS) == written(tmp_path / "m.gguf", metadata, TENSORS, 256)
