"""A suite's texts, read by a real model: windows, rounds, distances against dense logits, and what is kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from built_gguf import Builder, build_gguf

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Progress, silent
from edgeshrink.engine.steps.reading import ReadCandidate, ReadReference
from edgeshrink.errors import DataError
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.reading import load_read, read_candidate
from edgeshrink.evaluate.reference import Reference, read_reference, read_texts
from edgeshrink.evaluate.slices.interface import ReadText
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.texts import LabelledText
from edgeshrink.runtimes import llama_cpp
from edgeshrink.store import Store

CONTEXT, TOKENS = 128, 256


def labelled(text: Text, round: int = 0) -> list[LabelledText]:
    middle = len(text.text) // 2
    halves = (text.text[:middle], text.text[middle:])
    return [
        LabelledText(label, f"The {label} half", Text.of(label, half.encode()), round)
        for label, half in zip(("first", "second"), halves, strict=True)
    ]


def subject(path: Path) -> Subject:
    return Subject(path, "llama_cpp", "cpu")


def read(path: Path, texts: Sequence[LabelledText], folder: Path) -> Reference:
    folder.mkdir(parents=True, exist_ok=True)
    return read_texts(subject(path), texts, folder, name="F32", context=CONTEXT, threads=1, tokens_each=TOKENS)


def candidate_of(path: Path, reference: Reference, folder: Path) -> tuple[ReadText, ...]:
    return read_candidate(subject(path), reference, folder, context=CONTEXT, threads=1)


@pytest.fixture(scope="module")
def stored(built: Builder, story_text: Text, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return read(built("F32").path, labelled(story_text), tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def demo_gguf(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_gguf(demo_model, tmp_path_factory.mktemp("demo") / "demo.gguf", "Q8_0").path


@pytest.fixture(scope="module")
def candidate(built: Builder, stored: Reference, tmp_path_factory: pytest.TempPathFactory) -> tuple[ReadText, ...]:
    return candidate_of(built("Q4_0").path, stored, tmp_path_factory.mktemp("candidate"))


def test_a_texts_windows_are_scored_from_early_on(stored: Reference, candidate: tuple[ReadText, ...]) -> None:
    assert [(text.label, text.title) for text in candidate] == [
        ("first", "The first half"),
        ("second", "The second half"),
    ]
    for text, given in zip(candidate, stored.texts, strict=True):
        assert (text.windows, text.first, text.scored_each) == (2, 16, 111)
        assert len(text.distances.kl) == 222 == given.windows.scored
    assert not (stored.folder / "opening.npy").exists()


def test_distances_are_those_of_the_logits(built: Builder, stored: Reference, candidate: tuple[ReadText, ...]) -> None:
    said = []
    for scheme in ("F32", "Q4_0"):
        with llama_cpp.load(built(scheme).path, context=CONTEXT, threads=1, exact=True) as session:
            ids = stored.texts[1].windows.ids
            rows = np.concatenate([session.logits(window)[16:-1] for window in ids]).astype(np.float64)
        said.append(rows - np.logaddexp.reduce(rows, axis=1)[:, None])
    (p, q), found = said, candidate[1].distances
    following = [token for window in ids for token in window[17:]]
    positions = np.arange(len(p))
    assert found.kl.mean() == pytest.approx((np.exp(p) * (p - q)).sum(axis=1).mean(), rel=5e-3)
    assert found.nll == pytest.approx(-q[positions, following], rel=1e-6)
    assert found.reference_nll == pytest.approx(-p[positions, following], rel=1e-6)
    assert found.reference_confidence == pytest.approx(np.exp(p.max(axis=1)), rel=1e-6)
    assert found.confidence == pytest.approx(np.exp(q.max(axis=1)), rel=1e-6)
    assert np.array_equal(found.right, q.argmax(axis=1) == following)
    assert np.array_equal(found.reference_right, p.argmax(axis=1) == following)
    assert np.array_equal(found.same_top, p.argmax(axis=1) == q.argmax(axis=1))


def test_rounds_follow_each_other_and_say_when_a_text_has_no_more(
    built: Builder, story_text: Text, stored: Reference, tmp_path: Path
) -> None:
    rounds = [stored] + [read(built("F32").path, labelled(story_text, n), tmp_path / str(n)) for n in (1, 2, 3, 4)]
    for index, text in enumerate(stored.texts):
        with llama_cpp.load(built("F32").path, context=64, threads=1, vocab_only=True) as session:
            all_ids = session.tokenize(labelled(story_text)[index].text.text, add_special=True, parse_special=True)
        found = [
            token
            for each in rounds
            for given in each.texts[index : index + 1]
            for w in given.windows.ids
            for token in w[1:]
        ]
        whole = len(all_ids) // CONTEXT
        assert text.tokens == len(all_ids) and 8 < whole < 16
        assert found == [token for n in range(whole) for token in all_ids[n * CONTEXT + 1 : (n + 1) * CONTEXT]]
    assert not any(each.notes for each in rounds[:3])
    assert len(rounds[3].texts) == len(rounds[3].notes) == len(rounds[4].notes) == 2 and not rounds[4].texts
    assert rounds[3].notes[0] == f"text/first: all of its {stored.texts[0].tokens:,} tokens are read"
    (tmp_path / "nothing").mkdir()
    assert candidate_of(built("Q4_0").path, rounds[4], tmp_path / "nothing") == ()


def test_the_worst_positions_are_shown_side_by_side(candidate: tuple[ReadText, ...]) -> None:
    for text in candidate:
        losses = [specimen.loss for specimen in text.worst]
        assert losses == sorted(text.distances.kl, reverse=True)[:5]
        assert all(specimen.prompt and specimen.item.startswith(text.label) for specimen in text.worst)
        index = int(text.distances.kl.argmax())
        assert (text.worst[0].reference == text.worst[0].candidate) == bool(text.distances.same_top[index])


def test_bits_are_those_of_the_logits_and_bytes_those_of_the_text(
    built: Builder, stored: Reference, candidate: tuple[ReadText, ...]
) -> None:
    for text, given in zip(candidate, stored.texts, strict=True):
        assert text.bits is not None and not text.apart
        assert text.bits.nll == pytest.approx(text.distances.nll)
        assert text.bits.reference_nll == pytest.approx(text.distances.reference_nll)
        assert np.array_equal(text.bits.nbytes, text.bits.reference_nbytes)
        with llama_cpp.load(built("F32").path, context=64, threads=1, vocab_only=True) as session:
            for number, ids in enumerate(given.windows.ids):
                spelled = session.detokenize(ids[17:], special=False)
                scored = text.bits.nbytes[number * 111 : (number + 1) * 111]
                assert scored.sum() - len(spelled) in (0, 1)  # detokenize leaves a space out in front of a text


@pytest.mark.parametrize("turned", [False, True])
def test_another_vocabulary_is_compared_by_what_the_text_costs(
    built: Builder, demo_gguf: Path, stored: Reference, story_text: Text, turned: bool, tmp_path: Path
) -> None:
    """Against every logit of the same bytes, cut as the model itself cuts them."""
    teacher, student = (demo_gguf, built("F32").path) if turned else (built("F32").path, demo_gguf)
    reference = read(demo_gguf, labelled(story_text), tmp_path / "demo") if turned else stored
    texts = candidate_of(student, reference, tmp_path)
    windows = reference.texts[0].windows
    with (
        llama_cpp.load(teacher, context=64, threads=1, vocab_only=True) as spelling,
        llama_cpp.load(student, context=CONTEXT, threads=1, exact=True) as session,
    ):
        nats, nbytes = 0.0, 0
        for ids in windows.ids:
            pieces = [spelling.piece(token) for token in ids]
            text, begin = b"".join(pieces), len(b"".join(pieces[:17]))
            own = [session.bos_id, *session.tokenize(text.decode(), add_special=False, parse_special=True)]
            own = own[:CONTEXT]
            rows = session.logits(own).astype(np.float64)  # type: ignore[arg-type]
            logs = rows - np.logaddexp.reduce(rows, axis=1)[:, None]
            whole = b"".join(session.piece(token) for token in own[1:])  # type: ignore[arg-type]
            at = -(len(whole) > len(text))
            for position, token in enumerate(own[1:]):
                size = len(session.piece(token))  # type: ignore[arg-type]
                if at >= begin:
                    nats -= logs[position, token]
                    nbytes += size
                at += size
    bits = texts[0].bits
    assert bits is not None and "its vocabulary is another: " in texts[0].apart
    assert not texts[0].distances.has_reference and texts[0].worst == ()
    assert (bits.nll.sum(), bits.nbytes.sum()) == pytest.approx((nats, nbytes), rel=1e-5)
    assert abs(int(bits.reference_nbytes.sum()) - nbytes) < 16 * len(windows.ids)


def test_a_text_that_is_too_short_is_refused(built: Builder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too short"):
        read(built("F32").path, [LabelledText("tiny", "Tiny", Text.of("tiny", b"Once upon a time."))], tmp_path)


def test_steps_keep_both_sides_and_run_once(
    built: Builder, story_text: Text, candidate: tuple[ReadText, ...], tmp_path: Path
) -> None:
    store, told = Store(tmp_path), list[Progress]()
    first = ReadReference(
        subject(built("F32").path), "a" * 64, "F32", tuple(labelled(story_text)), CONTEXT, 1, TOKENS, "build"
    )
    kept = store.run(first, told.append)
    second = ReadCandidate(subject(built("Q4_0").path), "b" * 64, (kept.folder, "c" * 64), CONTEXT, 1, "build")
    found = load_read(store.run(second, told.append).folder)
    assert read_reference(kept.folder).row_bytes > 0
    for ours, theirs in zip(found, candidate, strict=True):
        for part in fields(Distances):
            assert np.array_equal(getattr(ours.distances, part.name), getattr(theirs.distances, part.name))
        assert ours.worst == theirs.worst
    assert {one.task for one in told if one.unit == "tokens"} >= {"reference", "read"}
    count = len(told)
    assert store.run(second, silent).folder == store.run(second, silent).folder and len(told) == count
    later = ReadReference(
        subject(built("F32").path), "a" * 64, "F32", tuple(labelled(story_text, 1)), CONTEXT, 1, TOKENS, "build"
    )
    assert later.key_parts() != first.key_parts()


def test_a_damaged_result_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "read.json").write_text('{"format": 1, "texts": [{"label": "x"}]}', encoding="utf-8")
    with pytest.raises(DataError, match="is not a read text"):
        load_read(tmp_path)
