"""A Vocabulary as the `tokenizer.*` keys of a GGUF. Which keys llama.cpp reads: `llama_vocab::impl::load`."""

from __future__ import annotations

from collections.abc import Iterator

from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.tokenizer import Vocabulary

_MODELS = {"bpe": "gpt2", "spm": "llama"}
_PREFIX = "tokenizer.ggml."
# Ends of generation that llama.cpp knows by their text, whatever the keys say.
KNOWN_STOPS = frozenset(
    text.encode()
    for text in (
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
        "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
        "<end_of_utterance>", "<eos>", "<turn|>", "<｜end▁of▁sentence｜>",
    )
)  # fmt: skip


def vocabulary_metadata(vocabulary: Vocabulary, pre: str) -> tuple[KeyValue, ...]:
    """The keys, in llama.cpp's order; `pre` is the proven pre-tokenizer. A GGUF source's own go on as they are."""
    return vocabulary.carried or tuple(_keys(vocabulary, pre))


def stop_keys(vocabulary: Vocabulary) -> dict[str, int]:
    """Which ids have to be told to llama.cpp as ends of generation, beyond EOS: it has two keys for them."""
    rest = [
        number
        for number in vocabulary.stop_ids
        if number != vocabulary.eos_id and vocabulary.tokens[number] not in KNOWN_STOPS
    ]
    return dict(zip(("eot", "eom"), rest, strict=False))


def unstoppable(vocabulary: Vocabulary) -> tuple[int, ...]:
    """Stop ids of the source for which llama.cpp has no key left: it would generate past them."""
    told = {vocabulary.eos_id, *stop_keys(vocabulary).values()}
    return tuple(
        number for number in vocabulary.stop_ids if number not in told and vocabulary.tokens[number] not in KNOWN_STOPS
    )


def _keys(vocabulary: Vocabulary, pre: str) -> Iterator[KeyValue]:
    yield KeyValue(f"{_PREFIX}model", "string", _MODELS[vocabulary.kind])
    yield KeyValue(f"{_PREFIX}pre", "string", pre)
    yield KeyValue(f"{_PREFIX}tokens", "string", vocabulary.tokens)
    if vocabulary.scores is not None:
        yield KeyValue(f"{_PREFIX}scores", "float32", vocabulary.scores)
    yield KeyValue(f"{_PREFIX}token_type", "int32", vocabulary.token_types)
    if vocabulary.merges is not None:
        yield KeyValue(f"{_PREFIX}merges", "string", vocabulary.merges)
    ids = {
        # Left out, it would be llama.cpp's default: an ordinary token of this vocabulary.
        "bos": vocabulary.eos_id if vocabulary.bos_id is None else vocabulary.bos_id,
        "eos": vocabulary.eos_id,
        "unknown": vocabulary.unk_id,
        "padding": vocabulary.pad_id,
        **stop_keys(vocabulary),
    }
    for name, number in ids.items():
        if number is not None:
            yield KeyValue(f"{_PREFIX}{name}_token_id", "uint32", number)
    yield KeyValue(f"{_PREFIX}add_bos_token", "bool", vocabulary.add_bos)
    yield KeyValue(f"{_PREFIX}add_eos_token", "bool", vocabulary.add_eos)
    if vocabulary.add_space_prefix is not None:
        yield KeyValue(f"{_PREFIX}add_space_prefix", "bool", vocabulary.add_space_prefix)
    if vocabulary.chat_template is not None:
        yield KeyValue("tokenizer.chat_template", "string", vocabulary.chat_template)
