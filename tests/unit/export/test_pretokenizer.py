"""llama.cpp reads text as the source tokenizer does: proven, or refused with the strings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts, ModelSource
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import UnsupportedModel
from edgeshrink.export.gguf.pretokenizer import prove_pretokenizer, write_vocabulary
from edgeshrink.export.gguf.proof_strings import hard_strings, token_text
from edgeshrink.runtimes.llama_cpp import load

CONFIG: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "eos_token_id": 1,
}
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
REAL = {
    "stories": ("default", "llama", 512),
    "llama2": ("default", "llama", 32000),
    "phi3v": ("default", "llama", 32064),
    "smollm": ("smollm", "llama", 49152),
    "qwen3": ("qwen2", "qwen3", 151936),
    "llama3.2": ("llama-bpe", "llama", 128256),
}
# Their expected ids of llama.cpp's hard strings, made with the source tokenizers.
EXPECTED = {"llama2": "llama-spm", "phi3v": "phi-3", "qwen3": "qwen2", "llama3.2": "llama-bpe"}


Opened = tuple[ModelFacts, Vocabulary]


def opened(folder: Path, model_type: str, size: int) -> tuple[ModelFacts, Vocabulary]:
    config = {**CONFIG, "model_type": model_type, "vocab_size": size}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    facts = inspect_model(str(folder))
    return facts, read_vocabulary(facts)


def real(name: str, shared_data: Path, folder: Path) -> tuple[ModelFacts, Vocabulary]:
    source = shared_data / ("lm/stories260K" if name == "stories" else f"tokenizers/{name}")
    for file in source.iterdir():
        if file.name in {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "merges.txt"}:
            shutil.copy(file, folder)
    if name == "llama3.2":  # only its vocabulary and merges are at hand: the rest as its tokenizer.json has it
        tokenizer = Tokenizer(
            models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"), ignore_merges=True)
        )
        tokenizer.pre_tokenizer = splitting(LLAMA3)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
        tokenizer.save(str(folder / "tokenizer.json"))
    return opened(folder, *REAL[name][1:])


def splitting(expression: str) -> Any:
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(expression), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )


def trained(
    pre_tokenizer: Any, folder: Path, *, size: int = 700, added: tuple[Any, ...] = ()
) -> tuple[ModelFacts, Vocabulary]:
    """A tokenizer that nobody has seen before."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*hard_strings()] * 3, trainer)
    tokenizer.add_tokens(list(added))
    tokenizer.save(str(folder / "tokenizer.json"))
    return opened(folder, "llama", size + 8)


@pytest.fixture(scope="module")
def real_tokenizer(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Opened]:
    """A real tokenizer by name, read once."""
    return cache(lambda name: real(name, shared_data, tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize("name", REAL)
def test_real_tokenizers_are_proven(name: str, real_tokenizer: Callable[[str], Opened]) -> None:
    facts, vocabulary = real_tokenizer(name)
    proof = prove_pretokenizer(facts, vocabulary)
    assert proof.pre == REAL[name][0]
    assert proof.tried == (proof.pre,)
    assert proof.strings > 2 * 325


@pytest.mark.parametrize("name", EXPECTED)
def test_ids_are_those_that_llama_cpp_expects_of_the_family(
    name: str, real_tokenizer: Callable[[str], Opened], shared_data: Path, tmp_path: Path
) -> None:
    facts, vocabulary = real_tokenizer(name)
    file = tmp_path / "vocabulary.gguf"
    write_vocabulary(file, facts, vocabulary, REAL[name][0])
    cases = shared_data / "tokenizers" / "gguf_vocab_cases" / f"ggml-vocab-{EXPECTED[name]}.gguf.inp"
    texts = cases.read_bytes().decode("utf-8").split("\n__ggml_vocab_test__\n")
    lines = cases.with_suffix(".out").read_text(encoding="utf-8").split("\n")
    with load(file, context=0, threads=1, vocab_only=True) as session:
        compared = 0
        for text, line in zip(texts, lines, strict=True):
            expected = [int(number) for number in line.split()]
            assert session.tokenize(text, add_special=False, parse_special=False) == expected, text
            compared += len(expected)
    assert compared > 300


@pytest.mark.parametrize(
    ("pre_tokenizer", "name"),
    [
        (splitting(QWEN2), "qwen2"),
        (splitting(LLAMA3), "smaug-bpe"),
        (pre_tokenizers.ByteLevel(add_prefix_space=False), "gpt-2"),
        (
            pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]),
            "smollm",
        ),
    ],
)
def test_a_tokenizer_that_someone_trained_is_proven_too(pre_tokenizer: Any, name: str, tmp_path: Path) -> None:
    proof = prove_pretokenizer(*trained(pre_tokenizer, tmp_path))
    assert (proof.pre, proof.notes) == (name, ())


@pytest.mark.parametrize(
    ("pre_tokenizer", "normalizer", "prefix", "noted"),
    [
        (pre_tokenizers.Metaspace(prepend_scheme="always"), None, True, True),
        (pre_tokenizers.Metaspace(prepend_scheme="first", split=False), None, True, True),
        (pre_tokenizers.Metaspace(prepend_scheme="never"), None, False, False),
        (None, [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")], True, False),
    ],
)
def test_sentencepiece_forms_are_proven(
    pre_tokenizer: Any, normalizer: Any, prefix: bool, noted: bool, tmp_path: Path
) -> None:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        tokenizer.normalizer = normalizers.Sequence(normalizer)
    bytes_as_tokens = [f"<0x{number:02X}>" for number in range(256)]
    names = ["<unk>", "<s>", "</s>", *bytes_as_tokens]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator([*hard_strings()] * 3, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [entry for entry in data["added_tokens"] if entry["content"] not in bytes_as_tokens]
    (tmp_path / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    facts, vocabulary = opened(tmp_path, "llama", 900)
    proof = prove_pretokenizer(facts, vocabulary)
    assert (proof.pre, vocabulary.add_space_prefix) == ("default", prefix)
    assert any("a space before every stretch" in note for note in proof.notes) is noted


def test_behaviour_decides_where_the_structure_is_spelt_in_another_way(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting(QWEN2.replace(r"\p{N}|", r"[\p{N}]|")), tmp_path)
    proof = prove_pretokenizer(facts, replace(vocabulary, pre_candidates=("gpt-2", "qwen2", "smaug-bpe")))
    assert proof.pre == "qwen2"
    assert proof.tried == ("gpt-2", "qwen2")


def test_where_none_agrees_the_strings_are_named(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting("[aeiou]+|[^aeiou]+"), tmp_path)
    with pytest.raises(UnsupportedModel) as caught:
        prove_pretokenizer(facts, replace(vocabulary, pre_candidates=("qwen2", "gpt-2")))
    words = caught.value.message
    assert "2 pre-tokenizers tried" in words
    assert "in the source" in words and "in llama.cpp" in words
    assert str(tmp_path) in words


def test_a_name_that_llama_cpp_does_not_know_is_not_the_end(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting(QWEN2), tmp_path)
    assert prove_pretokenizer(facts, replace(vocabulary, pre_candidates=("made-up", "qwen2"))).pre == "qwen2"
    with pytest.raises(UnsupportedModel, match="made-up"):
        prove_pretokenizer(facts, replace(vocabulary, pre_candidates=("made-up",)))


def test_a_vocabulary_that_ends_the_process_is_an_error_here(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting(QWEN2), tmp_path)
    twice = (*vocabulary.tokens[:-1], vocabulary.tokens[0])  # llama.cpp asserts that texts are unique
    with pytest.raises(UnsupportedModel, match="opens this vocabulary in no form"):
        prove_pretokenizer(facts, replace(vocabulary, tokens=twice, pre_candidates=("qwen2",)))


def test_added_tokens_that_swallow_spaces_are_noted(tmp_path: Path) -> None:
    from tokenizers import AddedToken

    facts, vocabulary = trained(splitting(QWEN2), tmp_path, added=(AddedToken("<|x|>", rstrip=True),))
    proof = prove_pretokenizer(facts, vocabulary)
    assert proof.pre == "qwen2"
    assert any("<|x|>" in note for note in proof.notes)


def test_more_stop_ids_than_llama_cpp_has_keys_are_noted(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting(QWEN2), tmp_path)
    proof = prove_pretokenizer(facts, replace(vocabulary, stop_ids=(1, 300, 301, 302)))
    assert [note for note in proof.notes if "302" in note]
    assert not [note for note in proof.notes if "301" in note]


def test_a_gguf_source_keeps_its_tokenizer(tmp_path: Path) -> None:
    facts, vocabulary = trained(splitting(QWEN2), tmp_path)
    carried = (KeyValue("tokenizer.ggml.pre", "string", "tekken"),)
    gguf_facts = replace(facts, source=ModelSource("gguf", tmp_path / "m.gguf", "m.gguf"))
    proof = prove_pretokenizer(gguf_facts, replace(vocabulary, carried=carried, pre_candidates=("tekken",)))
    assert (proof.pre, proof.strings) == ("tekken", 0)


def test_token_texts_are_what_the_tokens_decode_to(tmp_path: Path) -> None:
    _, vocabulary = trained(splitting(QWEN2), tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = [token_text(vocabulary, number) for number in range(2, 700)]
    assert texts.count(None) > 0
    for number, text in enumerate(texts, start=2):
        if text is not None:
            assert tokenizer.decode([number]) == text


def test_the_hard_strings_are_many_and_each_only_once() -> None:
    assert len(hard_strings()) >= 150
    assert len(set(hard_strings())) == len(hard_strings())
