"""The keys of a GGUF that describe the model: `general.*` and the architecture's. The tokenizer's are elsewhere.

Which keys, and of which type: what llama.cpp reads (`llama-arch.cpp`, `llama-model.cpp`) and its converter writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgeshrink.core.architectures import ARCHITECTURES
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.planning.layout import parameter_count

QUANTIZATION_VERSION = 2  # GGML_QNT_VERSION: the layout of ggml's blocks
FILE_TYPE = "general.file_type"
VERSION = "general.quantization_version"


def model_metadata(facts: ModelFacts, *, file_type: int, name: str) -> tuple[KeyValue, ...]:
    """The keys for a file whose scheme is llama.cpp's `file_type`; `name` is what people call the model.

    A GGUF source's own keys go on as they are, in order; only those that tell the quantization change.
    """
    if facts.source.kind == "gguf":
        return _carried(facts, file_type)
    return tuple(_general(facts, file_type, name)) + tuple(_architecture(facts)) + (_version(),)


def size_label(parameters: int) -> str:
    """The GGUF naming convention's size label: 1.2B, 135M, 260K."""
    for scale, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if parameters >= scale:
            value = parameters / scale
            return f"{value:.{max(2 - len(str(round(value))), 0)}f}{letter}"
    value = parameters / 1e3
    return f"{value:.{max(2 - len(str(round(value))), 0)}f}K"


def _general(facts: ModelFacts, file_type: int, name: str) -> Iterator[KeyValue]:
    row = ARCHITECTURES[facts.model_type]
    yield KeyValue("general.architecture", "string", row.gguf_name)
    yield KeyValue("general.type", "string", "model")
    yield KeyValue("general.name", "string", name)
    if facts.source.license:
        yield KeyValue("general.license", "string", facts.source.license)
    if facts.source.hub_id:
        yield KeyValue("general.source.huggingface.repository", "string", facts.source.hub_id)
    yield KeyValue("general.size_label", "string", _size_label(facts))
    yield KeyValue(FILE_TYPE, "uint32", file_type)


def _size_label(facts: ModelFacts) -> str:
    """Of a mixture, how many experts, times one of them with all that they share: 8x7B."""
    parameters, experts = parameter_count(facts), facts.experts
    if experts is None:
        return size_label(parameters)
    others = facts.n_layers * (experts.count - 1) * 3 * experts.ffn * facts.hidden_size
    return f"{experts.count}x{size_label(parameters - others)}"


def _architecture(facts: ModelFacts) -> Iterator[KeyValue]:
    arch = ARCHITECTURES[facts.model_type].gguf_name
    yield KeyValue(f"{arch}.vocab_size", "uint32", facts.vocab_size)
    yield KeyValue(f"{arch}.block_count", "uint32", facts.n_layers)
    yield KeyValue(f"{arch}.context_length", "uint32", facts.context_length)
    yield KeyValue(f"{arch}.embedding_length", "uint32", facts.hidden_size)
    yield KeyValue(f"{arch}.feed_forward_length", "uint32", facts.ffn_size)
    yield KeyValue(f"{arch}.attention.head_count", "uint32", facts.n_heads)
    yield KeyValue(f"{arch}.attention.head_count_kv", "uint32", facts.n_kv_heads)
    yield KeyValue(f"{arch}.attention.layer_norm_rms_epsilon", "float32", facts.rms_norm_eps)
    yield KeyValue(f"{arch}.attention.key_length", "uint32", facts.head_dim)
    yield KeyValue(f"{arch}.attention.value_length", "uint32", facts.head_dim)
    yield KeyValue(f"{arch}.rope.dimension_count", "uint32", facts.head_dim)
    yield KeyValue(f"{arch}.rope.freq_base", "float32", facts.rope_theta)
    yield from _experts(arch, facts)
    yield from _rope_scaling(arch, facts)


def _experts(arch: str, facts: ModelFacts) -> Iterator[KeyValue]:
    experts, names = facts.experts, ARCHITECTURES[facts.model_type].experts
    if experts is None or names is None:
        return
    yield KeyValue(f"{arch}.expert_count", "uint32", experts.count)
    yield KeyValue(f"{arch}.expert_used_count", "uint32", experts.used)
    if names.ffn != "intermediate_size":  # else feed_forward_length says it
        yield KeyValue(f"{arch}.expert_feed_forward_length", "uint32", experts.ffn)
    if experts.shared_ffn:
        yield KeyValue(f"{arch}.expert_shared_feed_forward_length", "uint32", experts.shared_ffn)


def _rope_scaling(arch: str, facts: ModelFacts) -> Iterator[KeyValue]:
    scaling = facts.rope_scaling
    if scaling is None or scaling["rope_type"] not in ("linear", "yarn"):
        return
    prefix = f"{arch}.rope.scaling."
    factor = float(scaling["factor"])
    yield KeyValue(f"{prefix}type", "string", str(scaling["rope_type"]))
    yield KeyValue(f"{prefix}factor", "float32", factor)
    if scaling["rope_type"] == "linear":
        return
    yield KeyValue(f"{prefix}original_context_length", "uint32", int(scaling["original_max_position_embeddings"]))
    if "attention_factor" in scaling:
        # llama.cpp multiplies this key by YaRN's own 1 + 0.1 ln(factor); transformers' number stands alone.
        yield KeyValue(
            f"{prefix}attn_factor", "float32", float(scaling["attention_factor"]) / (1 + 0.1 * math.log(factor))
        )


def _carried(facts: ModelFacts, file_type: int) -> tuple[KeyValue, ...]:
    changed = {FILE_TYPE, VERSION, "general.alignment"}  # the writer aligns to 32, the default
    kept = tuple(
        entry
        for entry in facts.metadata
        if entry.key not in changed and not entry.key.startswith(("tokenizer.", "split."))
    )
    return (*kept, KeyValue(FILE_TYPE, "uint32", file_type), _version())


def _version() -> KeyValue:
    return KeyValue(VERSION, "uint32", QUANTIZATION_VERSION)
