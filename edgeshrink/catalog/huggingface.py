"""A Hugging Face model folder as ModelFacts: config.json and safetensors headers. No code in it is run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from edgeshrink.catalog.expert_usage import read_usage
from edgeshrink.catalog.experts import one_tensor_an_expert, read_experts
from edgeshrink.catalog.fields import Fields
from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.refusals import refuse_unbuildable, window_notes
from edgeshrink.catalog.rotary import read_rotary
from edgeshrink.catalog.safetensors_headers import read_tensors
from edgeshrink.core.architectures import Architecture
from edgeshrink.core.model import Experts, ModelFacts, ModelSource, SourceTensor
from edgeshrink.errors import DataError

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
_ENOUGH = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def inspect_folder(folder: Path, given: str, *, hub_id: str | None = None, weights: bool = True) -> ModelFacts:
    """The facts of `folder`; weights may be absent (enough for a plan). DataError or UnsupportedModel say why not."""
    file = folder / "config.json"
    if not file.is_file():
        raise _no_config(folder)
    config = read_json(file)
    row = refuse_unbuildable(file, config)
    fields = Fields(file, config)
    heads = fields.whole("num_attention_heads")
    hidden = fields.whole("hidden_size")
    head_dim = _head_dim(fields, row, hidden, heads)
    kv_heads = fields.whole("num_key_value_heads", default=row.default_kv_heads or heads)
    if heads % kv_heads:
        raise DataError(f"{file}: num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}")
    rotary = read_rotary(fields)
    experts = read_experts(fields, row)
    tensors = read_tensors(folder) if weights else ()
    if row.experts is not None:
        tensors = one_tensor_an_expert(tensors, row.experts)
    return ModelFacts(
        source=ModelSource(
            "huggingface", folder, given, hub_id, snapshot_revision(folder), model_license(folder / "README.md")
        ),
        model_type=row.model_type,
        n_layers=fields.whole("num_hidden_layers"),
        hidden_size=hidden,
        ffn_size=_ffn_size(fields, experts),
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=fields.whole("vocab_size"),
        context_length=fields.whole("max_position_embeddings"),
        rms_norm_eps=fields.number("rms_norm_eps", default=1e-6),
        rope_theta=rotary.theta,
        rope_scaling=rotary.scaling,
        tied_embeddings=fields.flag("tie_word_embeddings", default=False),
        dtype=_dtype(fields, tensors),
        config=config,
        tensors=tensors,
        tokenizer_files=_tokenizer_files(folder),
        experts=experts,
        expert_usage=None
        if experts is None
        else read_usage(folder, layers=fields.whole("num_hidden_layers"), experts=experts.count),
        notes=rotary.notes + window_notes(row, config),
    )


def _ffn_size(fields: Fields, experts: Experts | None) -> int:
    return fields.whole("intermediate_size", default=None if experts is None else experts.ffn)


def _head_dim(fields: Fields, row: Architecture, hidden: int, heads: int) -> int:
    explicit = fields.config.get("head_dim")
    if explicit is None and hidden % heads:
        raise DataError(f"{fields.file}: hidden_size {hidden} is no multiple of num_attention_heads {heads}")
    head_dim = fields.whole("head_dim", default=hidden // heads)
    if head_dim % 2:
        raise fields.wrong("head_dim", "an even number (rotary positions turn pairs)", head_dim)
    if head_dim * heads != hidden and not row.free_head_dim:
        raise fields.wrong("head_dim", f"{hidden // heads}: llama.cpp takes no other in {row.model_type}", head_dim)
    return head_dim


def _dtype(fields: Fields, tensors: tuple[SourceTensor, ...]) -> str:
    """The type that most weight bytes have; without weights, what config.json says (transformers' default: F32)."""
    if tensors:
        weights: Counter[str] = Counter()
        for tensor in tensors:
            weights[tensor.dtype] += tensor.nbytes
        return weights.most_common(1)[0][0]
    said: Any = fields.config.get("dtype") or fields.config.get("torch_dtype") or "float32"
    found = _DTYPES.get(str(said).removeprefix("torch."))
    if found is None:
        raise fields.wrong("dtype", " or ".join(_DTYPES), said)
    return found


def _tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """All files that say how text becomes ids and where it ends; none where no tokenizer is among them."""
    there = {name: folder / name for name in TOKENIZER_FILES if (folder / name).is_file()}
    whole = any(all(name in there for name in names) for names in _ENOUGH)
    return tuple(there.values()) if whole else ()


def snapshot_revision(folder: Path) -> str | None:
    """The commit, where the folder is a snapshot in a Hugging Face cache."""
    resolved = folder.resolve()
    return resolved.name if resolved.parent.name == "snapshots" and _COMMIT.fullmatch(resolved.name) else None


def model_license(card: Path) -> str | None:
    """`license:` of the front matter of a model card."""
    if not card.is_file():
        return None
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        if line.strip() == "---":
            return None
        key, _, value = line.partition(":")
        if key == "license" and value.strip():
            return value.strip().strip("'\"")
    return None


def _no_config(folder: Path) -> DataError:
    ggufs = sorted(folder.glob("*.gguf"))
    if ggufs:
        return DataError(f"{folder} has no config.json", hint=f"name the file itself: {ggufs[0]}")
    if (folder / "params.json").is_file():
        return DataError(
            f"{folder} has no config.json; its params.json is the layout of the model's authors",
            hint="fetch the Hugging Face layout of this model (config.json and model.safetensors)",
        )
    if (folder / "adapter_config.json").is_file():
        return DataError(
            f"{folder} holds an adapter (adapter_config.json), not a model",
            hint="merge it into its base model (peft: merge_and_unload, save_pretrained), then build that",
        )
    return DataError(
        f"{folder} has no config.json, so it is not a Hugging Face model folder",
        hint="give the folder that holds config.json and *.safetensors, a hub id (OWNER/NAME) or a .gguf file",
    )
