"""The tensors in the file: exactly those of the plan, and each still the source's weights as far as its type can be.

The second looks at rows spread over every matrix. It finds what no average over text would: a layer whose rows were
mixed up or lost still lets the model talk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.tensor_reading import read_rows
from edgeshrink.core.importance import Floats
from edgeshrink.core.model import ModelFacts, SourceTensor
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import Check
from edgeshrink.core.quant_types import quant_type
from edgeshrink.errors import DataError

_ROWS = 32
_ROWS_AN_EXPERT = 4
_SHOWN = 3
# Relative error of weights (root mean square). Each bit halves it: measured on the demo, 2 to 2.7 / 2^bits for every
# scheme, with and without importance matrix. Outliers make it worse; rows of another place come to 1.4, lost ones to 1.
_NOISE = 12.0
_MOST = 0.8
_ROUNDING = {"F32": 0.0, "F16": 2.0**-10, "BF16": 2.0**-8}


def check_tensors(path: Path, plan: Sequence[TensorPlan]) -> Check:
    """Name, shape and type of every tensor."""
    try:
        found = {tensor.name: (tensor.shape, tensor.dtype) for tensor in read_gguf_header(path).tensors}
    except DataError as error:
        return Check("tensors", "failed", error.message)
    wanted = {tensor.name: (tensor.shape, tensor.type) for tensor in plan}
    wrong = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    wrong += [f"{name} is not in the plan" for name in found.keys() - wanted.keys()]
    wrong += [
        f"{name} is {_words(found[name])}, planned {_words(wanted[name])}"
        for name in wanted.keys() & found.keys()
        if found[name] != wanted[name]
    ]
    if wrong:
        return Check("tensors", "failed", f"{len(wrong)} differ from the plan: {_some(wrong)}")
    return Check("tensors", "ok", f"{len(plan)} tensors have the planned names, shapes and types")


def check_weights(path: Path, plan: Sequence[TensorPlan], facts: ModelFacts) -> Check:
    """Rows of the file against the same rows of the source."""
    source = {tensor.name: tensor for tensor in facts.tensors}
    wrong: list[str] = []
    worst, rows = 0.0, 0
    try:
        stored = {tensor.name: tensor for tensor in read_gguf_header(path).tensors}
        made = [entry for entry in plan if entry.sources]
        for entry in made:
            error, count = _error(entry, [source[name] for name in entry.sources], stored[entry.name])
            rows += count
            worst = max(worst, error if quant_type(entry.type).is_quantized else 0.0)
            if not error <= allowed_error(entry.type):
                wrong.append(f"{entry.name} ({entry.type}) is off by {error:.2g}")
    except (DataError, OSError) as problem:
        return Check("weights", "failed", str(problem))
    except KeyError as problem:
        return Check("weights", "failed", f"tensor {problem} is missing")
    if wrong:
        return Check("weights", "failed", f"{len(wrong)} of {len(made)} tensors are not the source's: {_some(wrong)}")
    lossy = f", largest relative error {worst:.2g}" if worst else ", none changed beyond the rounding of its type"
    return Check("weights", "ok", f"{rows} rows of {len(made)} tensors read back{lossy}")


def allowed_error(type_name: str) -> float:
    """Root mean square of the error, relative to the weights', that a type may leave."""
    kind = quant_type(type_name)
    return _ROUNDING[kind.name] if not kind.is_quantized else min(_MOST, _NOISE * 2.0**-kind.bits_per_weight)


def source_row(plan: TensorPlan, row: int) -> int:
    """The source's row that became `row`: llama.cpp keeps the two numbers of a rotary pair next to each other."""
    if plan.transform != "rope_permute":
        return row
    width = plan.shape[0] // plan.heads
    head, (pair, second) = row // width, divmod(row % width, 2)
    return head * width + second * (width // 2) + pair


def _error(plan: TensorPlan, sources: Sequence[SourceTensor], written: SourceTensor) -> tuple[float, int]:
    if len(plan.shape) == 1:
        original = read_rows(sources[0]).reshape(-1)[[source_row(plan, index) for index in range(plan.shape[0])]]
        return _relative(original, _stored_rows(written, [0])), 1
    height = int(np.prod(plan.source_shape[:-1]))
    errors, chosen = [], _looked_at(plan)
    for rows in chosen:
        places = [divmod(source_row(plan, row), height) for row in rows]
        original = np.concatenate([read_rows(sources[number], row, row + 1) for number, row in places])
        errors.append(_relative(original.reshape(-1), _stored_rows(written, rows)))
    return float(np.max(errors)), sum(map(len, chosen))


def _looked_at(plan: TensorPlan) -> list[list[int]]:
    """Rows spread over the matrix; of experts, over each, at another place."""
    experts = plan.shape[0] if len(plan.shape) > 2 else 1
    height = int(np.prod(plan.shape[:-1])) // experts
    each = min(height, max(_ROWS_AN_EXPERT, _ROWS // experts))
    spread = np.linspace(0, height - 1, each).astype(int)
    return [sorted(number * height + (spread + number) % height) for number in range(experts)]


def _stored_rows(tensor: SourceTensor, rows: Sequence[int]) -> Floats:
    """Rows of a GGUF tensor of any type, dequantized by gguf-py: not by the library that wrote them."""
    import gguf

    kind = quant_type(tensor.dtype)
    nbytes = kind.row_bytes(tensor.shape[-1])
    raw = bytearray()
    with tensor.file.open("rb") as file:
        for row in rows:
            file.seek(tensor.offset + row * nbytes)
            raw += file.read(nbytes)
    packed = np.frombuffer(raw, dtype=np.uint8).reshape(len(rows), nbytes)
    if kind.name in ("F32", "F16"):  # gguf-py takes these as numbers, all others as bytes
        packed = packed.view("<f4" if kind.name == "F32" else "<f2")
    values: Floats = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType(kind.ggml_id))
    return values.astype(np.float32).reshape(-1)


def _relative(original: Floats, written: Floats) -> float:
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean(original.astype(np.float64) ** 2)))
        error = float(np.sqrt(np.mean((original.astype(np.float64) - written) ** 2)))
    return error / size if size > 0 else error


def _words(entry: tuple[tuple[int, ...], str]) -> str:
    return f"{'x'.join(map(str, entry[0]))} {entry[1]}"


def _some(items: Sequence[str]) -> str:
    ordered = sorted(items)
    return "; ".join(ordered[:_SHOWN]) + (f"; and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else "")
