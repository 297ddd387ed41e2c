"""What a configuration says of its experts, and one tensor an expert whatever way the file keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from edgeshrink.catalog.fields import Fields
from edgeshrink.core.architectures import Architecture, ExpertNames
from edgeshrink.core.model import Experts, SourceTensor
from edgeshrink.errors import DataError

_FUSED = re.compile(r"(model\.layers\.\d+\.)mlp\.experts\.(gate_up_proj|down_proj)")


def read_experts(fields: Fields, row: Architecture) -> Experts | None:
    """The experts that config.json describes; None where the family has none. DataError names a wrong key."""
    names = row.experts
    if names is None:
        return None
    key = next((key for key in names.count if fields.config.get(key) is not None), names.count[0])
    count, used = fields.whole(key), fields.whole("num_experts_per_tok")
    if used > count:
        raise fields.wrong("num_experts_per_tok", f"at most {key}, {count}", used)
    normed = names.normed == "always" or fields.flag(names.normed, default=False)
    return Experts(
        count=count,
        used=used,
        ffn=fields.whole(names.ffn),
        shared_ffn=fields.whole(names.shared_ffn) if names.shared_ffn else 0,
        normed=normed,
    )


def one_tensor_an_expert(tensors: tuple[SourceTensor, ...], names: ExpertNames) -> tuple[SourceTensor, ...]:
    """The same tensors, those of all experts of a layer taken apart under the names that transformers saves.

    transformers 5 holds `mlp.experts.gate_up_proj` (experts, 2 * ffn, hidden), gate before up, and `down_proj`
    (experts, hidden, ffn) in memory; some checkpoints are written so. DataError: not of that shape.
    """
    found: list[SourceTensor] = []
    for tensor in tensors:
        match = _FUSED.fullmatch(tensor.name)
        if match is None:
            found.append(tensor)
        else:
            gate, up, down = names.matrices
            parts = (gate, up) if match[2] == "gate_up_proj" else (down,)
            found.extend(_parts(tensor, f"{match[1]}{names.block}.experts", parts))
    return tuple(found)


def _parts(tensor: SourceTensor, prefix: str, matrices: tuple[str, ...]) -> Iterator[SourceTensor]:
    if len(tensor.shape) != 3 or tensor.shape[1] % len(matrices):
        raise DataError(
            f"{tensor.file}: {tensor.name} has shape {list(tensor.shape)}, expected (experts, rows, columns)"
        )
    count, rows, columns = tensor.shape
    pieces = count * len(matrices)
    nbytes = tensor.nbytes // pieces
    for piece in range(pieces):
        expert, matrix = divmod(piece, len(matrices))
        yield replace(
            tensor,
            name=f"{prefix}.{expert}.{matrices[matrix]}.weight",
            shape=(rows // len(matrices), columns),
            offset=tensor.offset + piece * nbytes,
            nbytes=nbytes,
        )
