"""A file that reads or frames text in another way than its source is found out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from built_gguf import Builder, Built, Metadata, build_gguf

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.texts import Text, evaluation_text
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.quality import Check
from edgeshrink.errors import DataError
from edgeshrink.evaluate.checks import text as text_checks
from edgeshrink.evaluate.checks.text import check_text, difference
from edgeshrink.evaluate.subject import Subject
from edgeshrink.export.gguf.pretokenizer import write_vocabulary
from edgeshrink.runtimes.chat_bounded import render_chats_bounded

Spoil = Callable[[Metadata], Metadata]


def changed(key: str, value: object) -> Spoil:
    """The header with another value for `key`; None takes the key away."""

    def change(metadata: Metadata) -> Metadata:
        assert any(entry.key == key for entry in metadata)
        kept = (entry for entry in metadata if entry.key != key or value is not None)
        return tuple(replace(entry, value=value) if entry.key == key else entry for entry in kept)

    return change


def swapped_tokens(metadata: Metadata) -> Metadata:
    tokens = next(entry for entry in metadata if entry.key == "tokenizer.ggml.tokens")
    values = list(tokens.value)  # type: ignore[arg-type]
    first, second = values.index(b"e"), values.index(b"a")
    values[first], values[second] = values[second], values[first]
    return changed("tokenizer.ggml.tokens", tuple(values))(metadata)


def checks(built: Built, text: Text) -> dict[str, Check]:
    return {
        check.name: check
        for check in check_text(Subject(built.path, "llama_cpp", "cpu"), built.facts, built.vocabulary, text)
    }


@pytest.fixture(scope="module")
def demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Spoil], Built]:
    folder = tmp_path_factory.mktemp("demo")
    return lambda change: build_gguf(demo_model, folder / "demo.gguf", "Q8_0", change=change)


def test_a_sentencepiece_source_holds(built: Builder, story_text: Text) -> None:
    found = checks(built("F32"), story_text)
    assert {check.outcome for check in found.values()} == {"ok"}, found
    assert found["tokenizer"].detail.endswith("strings give the source tokenizer's ids")
    assert found["chat template"].detail == "the source has none, nor has the file"


def test_a_byte_level_source_with_a_chat_template_holds(demo: Callable[[Spoil], Built]) -> None:
    found = checks(demo(lambda metadata: metadata), evaluation_text())
    assert {check.outcome for check in found.values()} == {"ok"}, found
    assert found.keys() == {"tokenizer", "special tokens", "stop tokens", "chat template", "chat tokens"}


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        (swapped_tokens, "tokenizer"),
        (changed("tokenizer.ggml.eos_token_id", 5), "special tokens"),
        (changed("tokenizer.chat_template", None), "chat template"),
        (changed("tokenizer.chat_template", "{{ messages[0].content }}"), "chat template"),
    ],
)
def test_a_spoiled_header_is_found(demo: Callable[[Spoil], Built], spoil: Spoil, failing: str) -> None:
    found = checks(demo(spoil), evaluation_text())
    assert found[failing].outcome == "failed", found


@pytest.mark.parametrize(
    ("ids", "right", "said"),
    [
        ([1, 2], [3, 2], "[1, 2] in the file and [3, 2] in the source (from id 0 on)"),
        (
            [*range(20), 77, 21],
            [*range(20), 88, 21],
            "[..., 17, 18, 19, 77, 21] in the file and [..., 17, 18, 19, 88, 21] in the source (from id 20 on)",
        ),
        ([5, *range(9)], [5], "[5, 0, 1, 2, 3, 4, 5, 6, ...] in the file and [5] in the source (from id 1 on)"),
    ],
)
def test_differing_ids_are_shown_where_they_differ(ids: list[int], right: list[int], said: str) -> None:
    assert difference(ids, right) == said


def test_a_template_without_an_end_is_a_failed_check(
    demo: Callable[[Spoil], Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_three_seconds(template: str, calls: Sequence[Mapping[str, Any]]) -> list[str | DataError]:
        return render_chats_bounded(template, calls, timeout_s=3)

    monkeypatch.setattr(text_checks, "render_chats_bounded", in_three_seconds)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    found = checks(demo(changed("tokenizer.chat_template", endless)), evaluation_text())
    assert found["chat template"].outcome == "failed", found


def test_a_bos_that_is_not_added_is_found(demo: Callable[[Spoil], Built]) -> None:
    made = demo(lambda metadata: metadata)
    other = replace(made, vocabulary=replace(made.vocabulary, add_bos=not made.vocabulary.add_bos))
    check = checks(other, evaluation_text())["special tokens"]
    assert check.outcome == "failed"
    assert "BOS is " in check.detail and "unlike in the source" in check.detail


def test_a_stop_token_that_the_runtime_does_not_know_is_found(built: Builder, story_text: Text) -> None:
    made = built("F32")
    other = replace(made, vocabulary=replace(made.vocabulary, stop_ids=(*made.vocabulary.stop_ids, 300)))
    check = checks(other, story_text)["stop tokens"]
    assert (check.outcome, check.detail) == ("failed", "the runtime does not stop at [300], the source does")


def test_special_tokens_that_swallow_spaces_are_told_and_not_blamed_on_the_file(
    shared_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(shared_data / "tokenizers" / "phi3v", tmp_path, dirs_exist_ok=True)
    template = shared_data / "tokenizers" / "chat_templates" / "microsoft-Phi-3.5-mini-instruct.jinja"
    shutil.copy(template, tmp_path / "chat_template.jinja")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "vocab_size": 32064,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "eos_token_id": 2,
        "dtype": "float32",
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    facts = inspect_model(str(tmp_path))
    made = Built(tmp_path / "vocabulary.gguf", facts, read_vocabulary(facts), ())
    write_vocabulary(made.path, facts, made.vocabulary, "default")
    found = checks(made, evaluation_text())
    assert {check.outcome for check in found.values() if check.name != "chat tokens"} == {"ok"}, found
    assert found["chat tokens"].outcome == "skipped"
    assert "swallow spaces" in found["chat tokens"].detail


def test_the_tokenizer_of_a_gguf_source_is_carried_over_and_said_to_be(built: Builder, story_text: Text) -> None:
    facts = inspect_model(str(built("F32").path))
    carried = Built(built("F32").path, facts, read_vocabulary(facts), ())
    found = checks(carried, story_text)
    assert found["tokenizer"].outcome == "skipped"
    assert found["stop tokens"].outcome == "ok"
