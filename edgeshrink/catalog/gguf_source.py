"""An existing unquantized GGUF as ModelFacts. Its keys and tensor layout are carried over as they are."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from edgeshrink.catalog.fields import Fields
from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.core.architectures import ARCHITECTURES, architecture_of_gguf
from edgeshrink.core.model import ModelFacts, ModelSource
from edgeshrink.errors import DataError, UnsupportedModel

TOKENS = "tokenizer.ggml.tokens"
FLOATS = ("F32", "F16", "BF16")
EMBEDDING = "token_embd.weight"


def inspect_gguf(path: Path, given: str) -> ModelFacts:
    """The facts of an unquantized GGUF; UnsupportedModel for a quantized or split one, or an unknown architecture."""
    header = read_gguf_header(path)
    config = {entry.key: entry.value for entry in header.metadata}
    name = str(config.get("general.architecture"))
    row = architecture_of_gguf(name)
    if row is None:
        raise UnsupportedModel(
            f"{path}: general.architecture is {name!r}; edgeshrink builds "
            f"{', '.join(sorted({entry.gguf_name for entry in ARCHITECTURES.values()}))}"
        )
    _refuse(path, header)
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


def _refuse(path: Path, header: GgufHeader) -> None:
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
    if any(len(tensor.shape) > 2 for tensor in header.tensors):
        raise UnsupportedModel(f"{path} is a mixture of experts, which edgeshrink does not build")


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
