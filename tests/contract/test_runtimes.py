"""What any runtime must do, whatever it is made of: one matrix over the registry.

A new runtime adds the format that it loads to `FORMATS`, and a network to `tiny_networks` where it runs some.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes.interface import Runtime, Session
from edgeshrink.runtimes.registry import RUNTIMES, runtime

FORMATS = {"llama_cpp": "gguf", "onnx": "onnx", "executorch": "executorch"}
TEXTS = [
    "",
    "plain words",
    "ünïcødé 世界 🙂",
    "tabs\tand\nlines\n\n",
    "nul \0 inside",
    "<|end|> <|begin|>",
    " two  spaces ",
]
UNREADABLE = {"onnx": "\0"}
"""Characters that a runtime's own tokenizer cannot take: refused, not lost."""


@pytest.fixture(scope="module", params=sorted(RUNTIMES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def implementation(name: str) -> Runtime:
    return runtime(name)


@pytest.fixture(scope="module")
def file(name: str, float_model: Callable[[str, str], Path]) -> Path:
    return float_model("llama", FORMATS[name])


@pytest.fixture(scope="module")
def session(implementation: Runtime, file: Path) -> Iterator[Session]:
    with implementation.load(file, context=256, threads=1, exact=True) as loaded:
        yield loaded


def test_it_says_what_it_is(name: str, implementation: Runtime, session: Session, file: Path) -> None:
    facts = session.facts()
    assert facts.name == name == implementation.NAME
    assert file.suffix in implementation.SUFFIXES
    assert facts.version
    assert facts.backend
    assert facts.build_id == implementation.build_id() == implementation.build_id()
    assert facts.threads == 1
    assert facts.gpu_layers == 0
    assert facts.context == session.context >= 256
    assert json.dumps(facts.cpu_features)


@pytest.mark.parametrize("text", TEXTS)
def test_text_becomes_ids_and_text_again(name: str, session: Session, text: str) -> None:
    if UNREADABLE.get(name, text + "x") in text:
        with pytest.raises(DataError, match="NUL"):
            session.tokenize(text, add_special=False, parse_special=False)
        return
    ids = session.tokenize(text, add_special=False, parse_special=False)
    assert all(0 <= token < session.vocab_size for token in ids)
    assert session.detokenize(ids).decode().replace("▁", " ") == text
    assert b"".join(session.piece(token) for token in ids) == session.detokenize(ids)


def test_special_tokens_are_read_and_written_only_when_asked(session: Session) -> None:
    assert session.bos_id is not None
    assert session.eos_id in session.stop_ids
    assert session.adds_bos
    assert session.tokenize("a", add_special=True, parse_special=False)[0] == session.bos_id
    assert session.bos_id not in session.tokenize("a", add_special=False, parse_special=False)
    plain = session.tokenize("<|end|>", add_special=False, parse_special=False)
    parsed = session.tokenize("<|end|>", add_special=False, parse_special=True)
    assert parsed == [session.eos_id] != plain
    assert session.detokenize(parsed, special=True) == b"<|end|>"
    assert session.detokenize(plain, special=False) == b"<|end|>"
    assert session.detokenize(parsed, special=False) == b""


def test_special_tokens_that_only_config_json_names_are_known(
    name: str, implementation: Runtime, float_model: Callable[[str, str], Path]
) -> None:
    file = float_model("bare qwen3", FORMATS[name])
    with implementation.load(file, context=64, threads=1, vocab_only=True) as session:
        assert (session.bos_id, session.eos_id, session.stop_ids, session.adds_bos) == (0, 1, (1,), True)


def test_half_a_surrogate_pair_is_refused(session: Session) -> None:
    with pytest.raises(DataError, match="surrogate"):
        session.tokenize("\ud800", add_special=False, parse_special=False)


def test_the_chat_template_is_the_sources(session: Session, source_model: Callable[[str], Path]) -> None:
    settings = json.loads((source_model("llama") / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert session.chat_template == settings["chat_template"]


def test_all_positions_at_once_equal_one_by_one(session: Session) -> None:
    ids = [3 + byte for byte in b"one by one"]
    whole = session.logits(ids)
    assert whole.shape == (len(ids), session.vocab_size)
    assert whole.dtype == np.float32
    session.reset()
    rows = [session.prefill(ids[:4])] + [session.decode(token) for token in ids[4:]]
    np.testing.assert_allclose(np.array(rows), whole[3:], atol=1e-4)
    assert session.position == len(ids)


def test_batches_change_nothing(implementation: Runtime, file: Path, session: Session) -> None:
    ids = [3 + position % 200 for position in range(100)]
    whole = session.logits(ids)
    with implementation.load(file, context=256, threads=1, exact=True, batch=32) as small:
        parts = list(small.iter_logits(ids))
        assert [len(rows) for rows in parts] == [32, 32, 32, 4]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-3)
        small.reset()
        np.testing.assert_allclose(small.prefill(ids), whole[-1], atol=1e-3)


def test_a_session_for_one_row_of_logits_refuses_all_rows(implementation: Runtime, file: Path) -> None:
    with implementation.load(file, context=256, threads=1, all_logits=False) as loaded:
        assert loaded.prefill([70, 71, 72]).shape == (loaded.vocab_size,)
        with pytest.raises(RuntimeFailed, match="last position"):
            loaded.logits([1, 2])


def test_a_vocabulary_alone_tokenizes_and_computes_nothing(
    implementation: Runtime, file: Path, session: Session
) -> None:
    with implementation.load(file, context=64, threads=1, vocab_only=True) as words:
        text = "words alone <|end|>"
        for special in (True, False):
            found = words.tokenize(text, add_special=special, parse_special=special)
            assert found == session.tokenize(text, add_special=special, parse_special=special)
        assert (words.vocab_size, words.stop_ids) == (session.vocab_size, session.stop_ids)
        assert words.facts().context == 0
        with pytest.raises(RuntimeFailed, match="vocabulary only"):
            words.prefill([1])


def test_the_context_matters_and_is_forgotten_on_reset(session: Session) -> None:
    session.reset()
    alone = session.prefill([70])
    session.reset()
    session.prefill([80, 90])
    after_others = session.decode(70)
    assert abs(after_others - alone).max() > 1e-3
    session.reset()
    np.testing.assert_allclose(session.prefill([70]), alone, atol=1e-6)


def test_what_it_returns_is_a_copy(session: Session) -> None:
    session.reset()
    first = session.prefill([70])
    kept = first.copy()
    session.decode(90)
    np.testing.assert_array_equal(first, kept)


def test_the_context_is_a_limit_not_a_crash(session: Session) -> None:
    session.reset()
    session.prefill([70] * session.context)
    with pytest.raises(RuntimeFailed, match="do not fit"):
        session.decode(70)
    with pytest.raises(RuntimeFailed, match="do not fit"):
        session.logits([70] * (session.context + 1))


@pytest.mark.parametrize("token", [-1, 10**6])
def test_an_id_outside_the_vocabulary_is_an_error(session: Session, token: int) -> None:
    session.reset()
    with pytest.raises(RuntimeFailed, match="outside the vocabulary"):
        session.prefill([70, token])


def test_an_empty_prompt_is_an_error(session: Session) -> None:
    with pytest.raises(RuntimeFailed, match="empty"):
        session.prefill([])


def test_a_missing_and_a_garbage_file_are_refused(implementation: Runtime, file: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="no such file"):
        implementation.load(tmp_path / f"missing{file.suffix}", context=256, threads=1)
    shutil.copytree(file.parent, tmp_path / "garbage")
    garbage = tmp_path / "garbage" / file.name
    for content in (b"this is no model" * 64, b"", file.read_bytes()[:-5000]):
        garbage.write_bytes(content)
        with pytest.raises(RuntimeFailed, match="garbage"):
            implementation.load(garbage, context=256, threads=1)


def test_closing_twice_is_fine_and_use_after_it_an_error(implementation: Runtime, file: Path) -> None:
    session = implementation.load(file, context=256, threads=1)
    session.close()
    session.close()
    for use in (
        lambda: session.prefill([70]),
        lambda: session.reset(),
        lambda: session.tokenize("a", add_special=True, parse_special=True),
    ):
        with pytest.raises(RuntimeFailed):
            use()


def test_two_sessions_do_not_disturb_each_other(implementation: Runtime, file: Path, session: Session) -> None:
    session.reset()
    expected = session.prefill([70, 71, 72])
    session.reset()
    session.prefill([70, 71])
    with implementation.load(file, context=256, threads=1, exact=True) as other:
        other.prefill([90, 91, 92])
    np.testing.assert_allclose(session.decode(72), expected, atol=1e-4)
