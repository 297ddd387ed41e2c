"""What is read of a tokenizer: tokens and their kinds, BOS, EOS, stop ids, templates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizer_vocab_merges import vocab_merges_json
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.catalog.vocabulary_rows import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import DataError, UnsupportedModel
from edgeshrink.export.gguf.proof_strings import hard_strings

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
TEXTS = ["the cat sat on the mat", "the dog, the cat and the log", "three cats that sat there", "on and on and on"]


def vocabulary_of(folder: Path, size: int, **config: Any) -> Vocabulary:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": size, **config}), encoding="utf-8")
    return read_vocabulary(inspect_model(str(folder)))


def byte_level(special: tuple[str, ...] = ("<s>", "</s>")) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    byte_level().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def settings(folder: Path, **values: Any) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(values), encoding="utf-8")


def test_byte_level_tokens_and_merges_come_over(folder: Path) -> None:
    vocabulary = vocabulary_of(folder, 300, eos_token_id=1)
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert vocabulary.kind == "bpe"
    for token, number in data["model"]["vocab"].items():
        assert vocabulary.tokens[number] == token.encode()
    assert vocabulary.merges == tuple(" ".join(pair) for pair in data["model"]["merges"])
    assert vocabulary.token_types[:3] == (CONTROL, CONTROL, NORMAL)
    assert vocabulary.scores is None


def test_rows_without_a_token_are_unused_and_named(folder: Path) -> None:
    vocabulary = vocabulary_of(folder, 400, eos_token_id=1)
    size = len(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    assert len(vocabulary.tokens) == len(set(vocabulary.tokens)) == 400
    assert vocabulary.tokens[size:] == tuple(f"[PAD{number}]".encode() for number in range(size, 400))
    assert set(vocabulary.token_types[size:]) == {UNUSED}


def test_a_token_that_looks_like_padding_is_not_doubled(tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer.add_tokens(["[PAD350]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = vocabulary_of(tmp_path, 400, eos_token_id=1).tokens
    assert len(set(tokens)) == 400


def test_tokens_beyond_the_embedding_are_left_out_and_noted(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<extra>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = vocabulary_of(folder, tokenizer.get_vocab_size() - 1, eos_token_id=1)
    assert b"<extra>" not in vocabulary.tokens
    assert any("left out" in note for note in vocabulary.notes)


def test_added_tokens_are_control_or_user_defined(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<tool>"])
    tokenizer.add_tokens(["<think>", "<end>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings(folder, eos_token="<end>")
    vocabulary = vocabulary_of(folder, 400)
    kinds = {token: vocabulary.token_types[tokenizer.token_to_id(token)] for token in ("<tool>", "<think>", "<end>")}
    assert kinds == {"<tool>": CONTROL, "<think>": USER_DEFINED, "<end>": CONTROL}


def test_the_post_processor_says_what_frames_a_text(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = vocabulary_of(folder, 300, eos_token_id=1)
    assert (vocabulary.add_bos, vocabulary.bos_id, vocabulary.add_eos) == (True, 0, False)


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("said", [True, False])
def test_a_post_processor_overrules_the_settings_as_in_transformers(front: bool, said: bool, folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    single = "<s> $A" if front else "$A </s>"
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 0), ("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings(folder, bos_token="<s>", eos_token="</s>", add_bos_token=said, add_eos_token=said)
    vocabulary = vocabulary_of(folder, 300)
    ids = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True).encode("the")
    assert vocabulary.add_bos == (ids[0] == 0)
    assert vocabulary.add_eos == (ids[-1] == 1)


def test_two_tokens_in_front_are_refused(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> </s> $A", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(UnsupportedModel, match="2 tokens before"):
        vocabulary_of(folder, 300, eos_token_id=1)


def test_stop_ids_are_gathered_from_all_files(folder: Path) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 7]}), encoding="utf-8")
    settings(folder, eos_token={"content": "</s>"})
    vocabulary = vocabulary_of(folder, 300, eos_token_id=[1, 9, 100_000])
    assert vocabulary.eos_id == 1
    assert vocabulary.stop_ids == (1, 9, 5, 7)


def test_without_an_end_token_one_that_means_no_text_stands_in(folder: Path) -> None:
    vocabulary = vocabulary_of(folder, 300)
    assert vocabulary.eos_id == 0
    assert vocabulary.stop_ids == ()
    assert any("no token that ends a text" in note for note in vocabulary.notes)


@pytest.mark.parametrize(
    ("in_settings", "in_file", "expected"),
    [
        ("inner", None, "inner"),
        ([{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}], None, "d"),
        ("inner", "outer", "outer"),
        (None, None, None),
    ],
)
def test_the_chat_template_is_found(in_settings: Any, in_file: str | None, expected: str | None, folder: Path) -> None:
    settings(folder, eos_token="</s>", **({"chat_template": in_settings} if in_settings else {}))
    if in_file:
        (folder / "chat_template.jinja").write_text(in_file, encoding="utf-8")
    assert vocabulary_of(folder, 300).chat_template == expected


@pytest.mark.parametrize("source", ["tokenizer.json", "tokenizer.model"])
def test_a_sentencepiece_vocabulary_from_either_file(source: str, stories: Path, tmp_path: Path) -> None:
    shutil.copy(stories / source, tmp_path / source)
    shutil.copy(stories / "tokenizer_config.json", tmp_path)
    vocabulary = vocabulary_of(tmp_path, 512)
    assert vocabulary.kind == "spm"
    assert vocabulary.tokens[:4] == (b"<unk>", b"<s>", b"</s>", b"<0x00>")
    assert vocabulary.token_types[:4] == (UNKNOWN, CONTROL, CONTROL, BYTE)
    assert vocabulary.token_types.count(BYTE) == 256
    assert (vocabulary.bos_id, vocabulary.eos_id, vocabulary.add_bos, vocabulary.add_space_prefix) == (1, 2, True, True)
    assert vocabulary.scores is not None and len(vocabulary.scores) == 512


def test_llama_2s_vocabulary_is_the_one_llama_cpp_ships(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "tokenizers" / "llama2" / "tokenizer.model", tmp_path)
    vocabulary = vocabulary_of(tmp_path, 32000)
    reader = gguf.GGUFReader(shared_data / "tokenizers" / "gguf_vocab" / "ggml-vocab-llama-spm.gguf")
    fields = {name: reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "scores", "token_type")}
    assert [token.decode() for token in vocabulary.tokens] == fields["tokens"]
    assert vocabulary.scores == tuple(fields["scores"])
    assert list(vocabulary.token_types) == fields["token_type"]


def test_phi_3s_vocabulary_is_the_one_llama_cpp_ships(shared_data: Path, tmp_path: Path) -> None:
    for file in (shared_data / "tokenizers" / "phi3v").iterdir():
        shutil.copy(file, tmp_path)
    vocabulary = vocabulary_of(tmp_path, 32064)
    reader = gguf.GGUFReader(shared_data / "tokenizers" / "gguf_vocab" / "ggml-vocab-phi-3.gguf")
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert [token.decode() for token in vocabulary.tokens[:32011]] == tokens[:32011]


def test_qwen_3_is_read_from_vocab_and_merges(shared_data: Path, tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(shared_data / "tokenizers" / "qwen3" / name, tmp_path)
    vocabulary = vocabulary_of(tmp_path, 151936, model_type="qwen3")
    assert vocabulary.pre_candidates[0] == "qwen2"
    assert (vocabulary.tokens[151645], vocabulary.eos_id) == (b"<|im_end|>", 151645)
    assert vocabulary.token_types[151645] == CONTROL
    assert vocabulary.token_types[151667] == USER_DEFINED  # <think>
    assert vocabulary.token_types[151700] == UNUSED
    assert any("NFC" in note for note in vocabulary.notes)


def test_qwen_3_gives_transformers_ids(shared_data: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(shared_data / "tokenizers" / "qwen3" / name, tmp_path)
    tokenizer = Tokenizer.from_str(vocab_merges_json(tmp_path))
    expected = transformers.AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    for text in (*hard_strings(), "<|im_start|>user\nhi<|im_end|>\n", "<think>x</think>"):
        assert tokenizer.encode(text).ids == expected.encode(text), text


def test_vocab_and_merges_alone_do_not_say_how_to_split(shared_data: Path, tmp_path: Path) -> None:
    for file in (shared_data / "tokenizers" / "llama3.2").iterdir():
        shutil.copy(file, tmp_path)
    with pytest.raises(UnsupportedModel, match="do not say how text is split"):
        vocabulary_of(tmp_path, 128256)


def test_a_wrong_line_of_merges_is_named(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"a": 0}', encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\na b c\n", encoding="utf-8")
    settings(tmp_path, tokenizer_class="GPT2Tokenizer")
    with pytest.raises(DataError, match=r"merges\.txt, line 3"):
        vocabulary_of(tmp_path, 300)


@pytest.mark.parametrize(
    ("tokenizer", "word"),
    [
        (Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0)), "Unigram"),
        (Tokenizer(models.WordLevel({"a": 0}, "a")), "WordLevel"),
        (Tokenizer(models.BPE({"a": 0, "b": 1}, [])), "neither byte-level nor SentencePiece"),
    ],
)
def test_other_kinds_of_tokenizers_are_refused(tokenizer: Tokenizer, word: str, tmp_path: Path) -> None:
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UnsupportedModel, match=word):
        vocabulary_of(tmp_path, 300)


def test_a_normalizer_that_changes_text_is_refused(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(UnsupportedModel, match="Lowercase"):
        vocabulary_of(folder, 300, eos_token_id=1)


def test_a_damaged_tokenizer_names_its_file(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": {"type": "BPE"}}', encoding="utf-8")
    with pytest.raises(DataError, match=r"tokenizer\.json"):
        vocabulary_of(folder, 300)


def test_a_damaged_sentencepiece_model_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"not a model at all")
    with pytest.raises(DataError, match=r"tokenizer\.model"):
        vocabulary_of(tmp_path, 300)
