"""An existing unquantized GGUF as ModelFacts. Its keys and tensor layout are carried over as they are."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from edgeshrink.catalog.fields import Fields
from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.core.architectures import ARCHITECTURES, Architecture, architecture_of_gguf
from edgeshrink.core.model import Experts, ModelFacts, ModelSource
from edgeshrink.errors import DataError, UnsupportedModel

TOKENS = "tokenizer.ggml.tokens"
FLOATS = ("F32", "F16", "BF16")
EMBEDDING = "token_embd.weight"


def inspect_gguf(path: Path, given: str) -> ModelFacts:
    """The facts of an unquantized GGUF; UnsupportedModel for a quantized or split one, or an unknown architecture."""
    header = read_gguf_header(path)
    config = {entry.key: entry.value for entry in header.metadata}
    name = str(config.get("general.architecture"))
    key = f"{name}.expert_count"
    has_experts = bool(config.get(key))
    row = architecture_of_gguf(name, experts=has_experts)
    known = sorted({entry.gguf_name for entry in ARCHITECTURES.values()})
    if row is None and name in known:
        raise DataError(f"{path}: general.architecture is {name!r}, and {key} is {config.get(key)!r}")
    if row is None:
        raise UnsupportedModel(f"{path}: general.architecture is {name!r}; edgeshrink builds {', '.join(known)}")
    _refuse(path, header, has_experts=has_experts)
    fields = Fields(path, config)
    hidden, heads = fields.whole(f"{name}.embedding_length"), fields.whole(f"{name}.attention.head_count")
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    weights: Counter[str] = Counter()
    for tensor in header.tensors:
        weights[tensor.dtype] += tensor.nbytes
    license_name = config.get("general.license")
    return ModelFacts(
        source=ModelSource("gguf", path, given, license=str(license_name) if license_name else None),
        model_type=row.model_type,
        n_layers=fields.whole(f"{name}.block_count"),
        hidden_size=hidden,
        ffn_size=fields.whole(f"{name}.feed_forward_length"),
        experts=_experts(fields, name, row, shapes) if has_experts else None,
        n_heads=heads,
        n_kv_heads=fields.whole(f"{name}.attention.head_count_kv", default=heads),
        head_dim=fields.whole(f"{name}.attention.key_length", default=hidden // heads),
        vocab_size=shapes[EMBEDDING][0],
        context_length=fields.whole(f"{name}.context_length"),
        rms_norm_eps=fields.number(f"{name}.attention.layer_norm_rms_epsilon"),
        rope_theta=fields.number(f"{name}.rope.freq_base", default=10000.0),
        rope_scaling=_rope_scaling(fields, name, shapes),
        tied_embeddings="output.weight" not in shapes,
        dtype=weights.most_common(1)[0][0],
        config=config,
        tensors=header.tensors,
        tokenizer_files=(path,) if TOKENS in config else (),
        metadata=header.metadata,
    )


def _refuse(path: Path, header: GgufHeader, *, has_experts: bool) -> None:
    quantized = Counter(tensor.dtype for tensor in header.tensors if tensor.dtype not in FLOATS)
    if quantized:
        kind, count = quantized.most_common(1)[0]
        raise UnsupportedModel(
            f"{path} is already quantized ({count} of its {len(header.tensors)} tensors are {kind}); "
            "quantizing twice would add its errors to the new ones",
            hint="take the F16, BF16 or F32 file; this one as it is: `edgeshrink profile FILE` measures it, and "
            "`edgeshrink compare FILE OTHER` holds another against it",
        )
    splits = header.value("split.count")
    if isinstance(splits, int) and splits > 1:
        raise UnsupportedModel(
            f"{path} is one of {splits} parts of a split GGUF",
            hint="join them with llama.cpp's `llama-gguf-split --merge`, then build the joined file",
        )
    if not any(tensor.name == EMBEDDING for tensor in header.tensors):
        raise DataError(f"{path} holds no {EMBEDDING}: a vocabulary-only file is no model")
    if not has_experts and any(len(tensor.shape) > 2 for tensor in header.tensors):
        raise DataError(f"{path} holds tensors of experts, and its header has no expert_count")


def _experts(fields: Fields, name: str, row: Architecture, shapes: dict[str, tuple[int, ...]]) -> Experts:
    """What the header and the tensors say of the experts; UnsupportedModel where not every layer has them."""
    file, layers = fields.file, fields.whole(f"{name}.block_count")
    bare = [layer for layer in range(layers) if f"blk.{layer}.ffn_down_exps.weight" not in shapes]
    if bare:
        raise UnsupportedModel(
            f"{file}: layer {bare[0]} has no tensor of experts (blk.{bare[0]}.ffn_down_exps.weight)",
            hint="edgeshrink builds mixtures of experts whose every layer has them in one tensor a matrix; files of "
            "early 2024 have one an expert: convert the model again",
        )
    count, used = fields.whole(f"{name}.expert_count"), fields.whole(f"{name}.expert_used_count")
    down, shared = shapes["blk.0.ffn_down_exps.weight"], shapes.get("blk.0.ffn_down_shexp.weight")
    if len(down) != 3 or down[0] != count or used > count:
        raise DataError(f"{file}: {name}.expert_count is {count}, {used} used, and the experts' tensor is {list(down)}")
    normed = all(value for key, value, _ in row.fixed if row.experts is not None and key == row.experts.normed)
    return Experts(count, used, down[-1], 0 if shared is None else shared[-1], normed)


def _rope_scaling(fields: Fields, name: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, object] | None:
    if "rope_freqs.weight" in shapes:
        return {"rope_type": "llama3"}
    prefix = f"{name}.rope.scaling."
    kind = fields.config.get(f"{prefix}type", "none")
    if kind == "none":
        return None
    # llama.cpp takes a zero for "not given".
    own = {key: value for key, value in fields.config.items() if key.startswith(f"{name}.") and value != 0}
    given = Fields(fields.file, own)
    factor = given.number(f"{prefix}factor", default=1.0)
    if kind != "yarn":
        return {"rope_type": kind, "factor": factor}
    original = given.whole(f"{prefix}original_context_length", default=given.whole(f"{name}.context_length"))
    # llama.cpp multiplies its key by YaRN's own 1 + 0.1 ln(factor); transformers' number stands alone.
    attention = given.number(f"{prefix}attn_factor", default=1.0) * (1 + 0.1 * math.log(max(factor, 1.0)))
    return {
        "rope_type": kind,
        "factor": factor,
        "original_max_position_embeddings": original,
        "attention_factor": attention,
    }
