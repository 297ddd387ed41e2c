"""The tokenizer of a GGUF source: its keys go on as they are; what a build must know of them is read here."""

from __future__ import annotations

from typing import Any, Literal

from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, UnsupportedModel

_KINDS: dict[str, Literal["bpe", "spm"]] = {"gpt2": "bpe", "llama": "spm"}
_PREFIX = "tokenizer.ggml."


def gguf_vocabulary(facts: ModelFacts) -> Vocabulary:
    """The vocabulary of a GGUF source, with its keys in `carried`."""
    file, keys = facts.source.path, facts.config
    model = keys.get(f"{_PREFIX}model")
    kind = _KINDS.get(str(model))
    if kind is None:
        raise UnsupportedModel(f"{file}: tokenizer.ggml.model is {model!r}; edgeshrink knows {', '.join(_KINDS)}")
    tokens = keys.get(f"{_PREFIX}tokens")
    if not isinstance(tokens, tuple) or len(tokens) != facts.vocab_size:
        raise DataError(f"{file}: tokenizer.ggml.tokens and token_embd.weight do not have the same number of rows")
    eos = _id(keys, "eos")
    stops = dict.fromkeys(number for number in (eos, _id(keys, "eot"), _id(keys, "eom")) if number is not None)
    merges = keys.get(f"{_PREFIX}merges")
    scores = keys.get(f"{_PREFIX}scores")
    template = keys.get("tokenizer.chat_template")
    return Vocabulary(
        kind=kind,
        tokens=tokens,
        scores=scores if isinstance(scores, tuple) else None,
        token_types=keys.get(f"{_PREFIX}token_type") or (1,) * len(tokens),
        merges=tuple(merge.decode("utf-8", "replace") for merge in merges) if isinstance(merges, tuple) else None,
        bos_id=_id(keys, "bos"),
        eos_id=eos,
        unk_id=_id(keys, "unknown"),
        pad_id=_id(keys, "padding"),
        stop_ids=tuple(stops),
        add_bos=bool(keys.get(f"{_PREFIX}add_bos_token", kind == "spm")),
        add_eos=bool(keys.get(f"{_PREFIX}add_eos_token", False)),
        add_space_prefix=keys.get(f"{_PREFIX}add_space_prefix"),
        chat_template=template if isinstance(template, str) else None,
        pre_candidates=(str(keys.get(f"{_PREFIX}pre", "default")),),
        source_file=file,
        carried=tuple(entry for entry in facts.metadata if entry.key.startswith("tokenizer.")),
    )


def _id(keys: Any, name: str) -> int | None:
    value = keys.get(f"{_PREFIX}{name}_token_id")
    return value if isinstance(value, int) else None
