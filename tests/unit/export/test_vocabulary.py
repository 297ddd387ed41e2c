"""A Vocabulary as GGUF keys, and what llama.cpp makes of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.export.gguf.pretokenizer import write_vocabulary
from edgeshrink.export.gguf.vocabulary import KNOWN_STOPS, stop_keys, unstoppable, vocabulary_metadata
from edgeshrink.runtimes.llama_cpp import LlamaSession, load


@pytest.fixture
def small(stories: Path) -> tuple[ModelFacts, Vocabulary]:
    facts = inspect_model(str(stories))
    return facts, read_vocabulary(facts)


def opened(file: Path, facts: ModelFacts, vocabulary: Vocabulary) -> LlamaSession:
    write_vocabulary(file, facts, vocabulary, "default")
    return load(file, context=0, threads=1, vocab_only=True)


def test_llama_cpp_reads_the_same_frame(small: tuple[ModelFacts, Vocabulary], tmp_path: Path) -> None:
    facts, vocabulary = small
    templated = replace(vocabulary, chat_template="{{ messages[0].content }} – ü")
    with opened(tmp_path / "v.gguf", facts, templated) as session:
        assert session.vocab_size == 512
        assert (session.bos_id, session.eos_id) == (1, 2)
        assert session.chat_template == templated.chat_template
        assert session.tokenize("Hi", add_special=True, parse_special=False)[0] == 1
    with opened(tmp_path / "w.gguf", facts, replace(vocabulary, add_bos=False, add_eos=True)) as session:
        ids = session.tokenize("Hi", add_special=True, parse_special=False)
        assert ids[0] != 1 and ids[-1] == 2


def test_every_stop_id_that_can_be_told_stops(small: tuple[ModelFacts, Vocabulary], tmp_path: Path) -> None:
    facts, vocabulary = small
    more = replace(vocabulary, stop_ids=(2, 300, 301, 302))
    assert stop_keys(more) == {"eot": 300, "eom": 301}
    assert unstoppable(more) == (302,)
    with opened(tmp_path / "v.gguf", facts, more) as session:
        assert set(session.stop_ids) == {2, 300, 301}


@pytest.mark.parametrize("text", sorted(KNOWN_STOPS - {b"</s>"}))
def test_known_ends_need_no_key(text: bytes, small: tuple[ModelFacts, Vocabulary], tmp_path: Path) -> None:
    facts, vocabulary = small
    tokens, kinds = list(vocabulary.tokens), list(vocabulary.token_types)
    tokens[400], kinds[400] = text, 3
    named = replace(vocabulary, tokens=tuple(tokens), token_types=tuple(kinds), stop_ids=(2, 400))
    assert stop_keys(named) == {}
    with opened(tmp_path / "v.gguf", facts, named) as session:
        assert 400 in session.stop_ids


def test_without_bos_no_ordinary_token_takes_its_place(small: tuple[ModelFacts, Vocabulary], tmp_path: Path) -> None:
    facts, vocabulary = small
    with opened(tmp_path / "v.gguf", facts, replace(vocabulary, bos_id=None, add_bos=False)) as session:
        assert session.bos_id == vocabulary.eos_id


def test_a_gguf_sources_keys_go_on_as_they_are(small: tuple[ModelFacts, Vocabulary]) -> None:
    own = (KeyValue("tokenizer.ggml.model", "string", "llama"), KeyValue("tokenizer.ggml.odd", "uint8", 7))
    assert vocabulary_metadata(replace(small[1], carried=own), "default") == own


def test_a_written_vocabulary_is_read_back_alike(stories: Path, tmp_path: Path) -> None:
    from edgeshrink.catalog.gguf_header import read_gguf_header

    shutil.copytree(stories, tmp_path / "m")
    (tmp_path / "m" / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 300]}), encoding="utf-8")
    facts = inspect_model(str(tmp_path / "m"))
    vocabulary = read_vocabulary(facts)
    write_vocabulary(tmp_path / "v.gguf", facts, vocabulary, "default")
    header = read_gguf_header(tmp_path / "v.gguf")
    for entry in vocabulary_metadata(vocabulary, "default"):
        found = next(other for other in header.metadata if other.key == entry.key)
        assert found.type == entry.type
        if entry.type == "float32":
            assert found.value == pytest.approx(entry.value)
        else:
            assert found.value == entry.value
