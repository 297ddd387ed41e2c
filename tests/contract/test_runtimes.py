"""What any runtime must do, whatever it is made of. A new one adds a file that it can load to `FILES`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeshrink.errors import RuntimeFailed
from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.runtimes.interface import Runtime, Session
from edgeshrink.runtimes.registry import RUNTIMES, runtime


def _gguf(folder: Path) -> Path:
    path = folder / "model.gguf"
    write_random_gguf(path, Shape(type="F32", vocabulary=True))
    return path


FILES: dict[str, Callable[[Path], Path]] = {"llama_cpp": _gguf}
TEXTS = ["", "plain words", "ünïcødé 世界 🙂", "tabs\tand\nlines\n\n", "nul \0 inside", "</s> <s>"]


@pytest.fixture(scope="module", params=sorted(RUNTIMES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def implementation(name: str) -> Runtime:
    return runtime(name)


@pytest.fixture(scope="module")
def file(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FILES[name](tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def session(implementation: Runtime, file: Path) -> Iterator[Session]:
    with implementation.load(file, context=256, threads=1, kv_type="f32") as loaded:
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
def test_text_becomes_ids_and_text_again(session: Session, text: str) -> None:
    ids = session.tokenize(text, add_special=False, parse_special=False)
    assert all(0 <= token < session.vocab_size for token in ids)
    assert session.detokenize(ids).decode().replace("▁", " ") == text
    assert b"".join(session.piece(token) for token in ids) == session.detokenize(ids)


def test_special_tokens_are_read_and_written_only_when_asked(session: Session) -> None:
    assert session.bos_id is not None
    assert session.eos_id in session.stop_ids
    assert session.tokenize("a", add_special=True, parse_special=False)[0] == session.bos_id
    plain = session.tokenize("</s>", add_special=False, parse_special=False)
    parsed = session.tokenize("</s>", add_special=False, parse_special=True)
    assert parsed == [session.eos_id] != plain
    assert session.detokenize(parsed, special=True) == b"</s>"
    assert session.detokenize(parsed, special=False) == b""


def test_all_positions_at_once_equal_one_by_one(session: Session) -> None:
    ids = [3 + byte for byte in b"one by one"]
    whole = session.logits(ids)
    assert whole.shape == (len(ids), session.vocab_size)
    assert whole.dtype == np.float32
    session.reset()
    rows = [session.prefill(ids[:4])] + [session.decode(token) for token in ids[4:]]
    np.testing.assert_allclose(np.array(rows), whole[3:], atol=1e-4)
    assert session.position == len(ids)


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
    garbage = tmp_path / f"garbage{file.suffix}"
    garbage.write_bytes(b"this is no model" * 64)
    with pytest.raises(RuntimeFailed, match="garbage"):
        implementation.load(garbage, context=256, threads=1)
    garbage.write_bytes(b"")
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
    with implementation.load(file, context=256, threads=1, kv_type="f32") as other:
        other.prefill([90, 91, 92])
    np.testing.assert_allclose(session.decode(72), expected, atol=1e-4)
