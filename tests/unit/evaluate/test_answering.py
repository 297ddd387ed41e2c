"""What a session is made to say, held against the runtime's own logits and against its plain generation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import build_gguf

from edgeshrink.errors import RuntimeFailed
from edgeshrink.evaluate.answering import Answerer, sureness
from edgeshrink.evaluate.probes import TEMPERATURES, Choose, Chosen, Generate, Prompt, Refused, Said
from edgeshrink.evaluate.subject import Subject
from edgeshrink.runtimes.generate import generate
from edgeshrink.runtimes.interface import Session

ASK = Prompt(text="37+45=")
QUESTION = "<|begin|><|user|>What is 37+45?<|end|><|assistant|>"
CONTEXT = 64


@pytest.fixture(scope="module")
def session(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    gguf = build_gguf(demo_model, tmp_path_factory.mktemp("demo") / "demo.gguf", "F32").path
    with Subject(gguf, "llama_cpp", "cpu").open(context=256, threads=1) as opened:
        yield opened


@pytest.fixture
def answerer(session: Session) -> Answerer:
    return Answerer(session, CONTEXT)


def _log_softmax(row: Any, temperature: float = 1.0) -> Any:
    scaled = row.astype(np.float64) / temperature
    return scaled - np.logaddexp.reduce(scaled)


def test_a_chat_is_answered_to_its_stop_token(answerer: Answerer) -> None:
    said = answerer.answer(Generate(ASK, 8), QUESTION, chat=True)
    assert isinstance(said, Said)
    assert (said.text, said.tokens, said.ended, said.control) == ("82", 2, "stop token", ())


def test_confidence_is_the_smallest_probability_at_each_temperature(session: Session, answerer: Answerer) -> None:
    said = answerer.answer(Generate(ASK, 8), QUESTION, chat=True)
    ids = session.tokenize(QUESTION + "82<|end|>", add_special=False, parse_special=True)
    rows = session.logits(ids)[-4:-1]
    for heat, confidence in zip(TEMPERATURES, said.confidence, strict=True):
        expected = min(float(_log_softmax(row, heat)[token]) for row, token in zip(rows, ids[-3:], strict=True))
        assert confidence == pytest.approx(expected, rel=2e-3, abs=2e-5)


def test_sureness_of_any_token_is_the_softmax_at_each_temperature() -> None:
    row = np.random.default_rng(1).normal(0, 6, 5000).astype(np.float32)
    for token in (0, int(row.argmax()), int(row.argmin())):
        expected = [_log_softmax(row, heat)[token] for heat in TEMPERATURES]
        assert sureness(row, token) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(("temperature", "seed"), [(0.0, 0), (1.0, 3), (0.7, 4)])
def test_it_writes_what_the_runtime_generates(
    session: Session, answerer: Answerer, temperature: float, seed: int
) -> None:
    said = answerer.answer(Generate(ASK, 20, temperature=temperature, seed=seed), "Once upon", chat=False)
    ids = session.tokenize("Once upon", add_special=True, parse_special=False)
    tokens = list(generate(session, ids, max_tokens=20, stop_ids=session.stop_ids, temperature=temperature, seed=seed))
    assert isinstance(said, Said)
    assert said.tokens == len(tokens)
    assert said.text == session.detokenize(tokens, special=False).decode("utf-8", "replace")


def test_a_stop_text_is_cut_off_and_a_limit_is_kept(answerer: Answerer) -> None:
    cut = answerer.answer(Generate(ASK, 8, stop=("\n", "absent")), "37+45=", chat=False)
    assert isinstance(cut, Said)
    assert (cut.text, cut.ended) == ("82", "stop text")
    short = answerer.answer(Generate(ASK, 1), "37+45=", chat=False)
    assert isinstance(short, Said)
    assert (short.text, short.tokens, short.ended) == ("8", 1, "limit")


def test_a_full_context_ends_an_answer(answerer: Answerer) -> None:
    said = answerer.answer(Generate(ASK, 100), "Once upon a time there was " * 6, chat=False)
    assert isinstance(said, Said)
    assert said.ended == "context"
    ids = answerer.prompt_ids("Once upon a time there was " * 6, chat=False)
    assert said.tokens == CONTEXT - len(ids) + 1


def test_control_tokens_inside_an_answer_are_named_and_not_in_its_text(session: Session) -> None:
    (role,) = session.tokenize("<|user|>", add_special=False, parse_special=True)
    (word,) = session.tokenize("a", add_special=False, parse_special=False)
    said = Answerer(_Scripted(session, [role, word, *session.stop_ids[:1]]), CONTEXT).answer(
        Generate(ASK, 9), "x", chat=False
    )
    assert isinstance(said, Said)
    assert (said.text, said.tokens, said.ended, said.control) == ("a", 2, "stop token", ("<|user|>",))


def test_a_prompt_never_begins_with_two_bos(session: Session, answerer: Answerer) -> None:
    begin = session.bos_id
    assert answerer.prompt_ids(QUESTION, chat=True) == session.tokenize(QUESTION, add_special=False, parse_special=True)
    assert answerer.prompt_ids(QUESTION.removeprefix("<|begin|>"), chat=True)[:2] == [
        begin,
        answerer.prompt_ids(QUESTION, chat=True)[1],
    ]
    literal = answerer.prompt_ids("<|begin|>", chat=False)
    assert literal[0] == begin
    assert begin not in literal[1:]


@pytest.mark.parametrize("options", [("82\n", "83\n", "8", " eighty"), ("8", "9"), ("82", "82\n")])
def test_options_are_as_probable_as_the_logits_of_the_whole_text_say(
    session: Session, answerer: Answerer, options: Sequence[str]
) -> None:
    chosen = answerer.answer(Choose(ASK, tuple(options)), "37+45=", chat=False)
    assert isinstance(chosen, Chosen)
    start = len(answerer.prompt_ids("37+45=", chat=False))
    for option, found, tokens in zip(options, chosen.logprobs, chosen.tokens, strict=True):
        ids = answerer.prompt_ids("37+45=" + option, chat=False)
        rows = session.logits(ids)
        expected = sum(float(_log_softmax(rows[at - 1])[ids[at]]) for at in range(start, len(ids)))
        assert found == pytest.approx(expected, abs=2e-3)
        assert tokens == len(ids) - start
    assert options[chosen.best].startswith("8")


def test_options_whose_letters_join_the_prompt_are_compared_on_the_same_beginning(
    session: Session, answerer: Answerer
) -> None:
    """ "the re" and "d" make one token, "the re" and "z" two: both are counted from where the prompts still agree."""
    prompt, options = "Max has the re", ("d", "zq")
    cut = [answerer.prompt_ids(prompt + option, chat=False) for option in options]
    alone = answerer.prompt_ids(prompt, chat=False)
    shared = min(next(i for i, (a, b) in enumerate(zip(alone, one, strict=False)) if a != b) for one in cut[:1])
    assert shared < len(alone), "the case must be one where tokens join"
    chosen = answerer.answer(Choose(ASK, options), prompt, chat=False)
    assert isinstance(chosen, Chosen)
    assert chosen.tokens == tuple(len(one) - shared for one in cut)


def test_what_cannot_be_asked_is_refused_with_the_reason(session: Session, answerer: Answerer) -> None:
    long = answerer.answer(Generate(ASK, 8), "a b " * CONTEXT, chat=False)
    assert isinstance(long, Refused)
    assert "does not fit the context" in long.reason
    options = answerer.answer(Choose(ASK, ("a b " * CONTEXT,)), "x", chat=False)
    assert isinstance(options, Refused)
    assert "does not fit" in options.reason
    broken = answerer.answer(Generate(ASK, 8), "half a pair \ud83d", chat=False)
    assert isinstance(broken, Refused)
    assert "no Unicode" in broken.reason


def test_a_model_without_finite_logits_is_refused_and_the_next_probe_is_asked(session: Session) -> None:
    for probe in (Generate(ASK, 8, temperature=1.0), Generate(ASK, 8), Choose(ASK, ("a", "b"))):
        refused = Answerer(_Scripted(session, [math.nan]), CONTEXT).answer(probe, "x", chat=False)
        assert refused == Refused("its logits are not finite")


def test_a_runtime_that_refuses_a_prompt_is_quoted(session: Session) -> None:
    refused = Answerer(_Scripted(session, []), CONTEXT).answer(Generate(ASK, 8), "x", chat=False)
    assert refused == Refused("no more to say")


class _Scripted:
    """A session whose logits want a list of tokens, one after another."""

    def __init__(self, session: Session, tokens: Sequence[float]) -> None:
        self._session = session
        self._left = list(tokens)
        self.position = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def prefill(self, ids: Sequence[int]) -> Any:
        return self._next()

    def decode(self, token: int) -> Any:
        return self._next()

    def _next(self) -> Any:
        if not self._left:
            raise RuntimeFailed("no more to say")
        row = np.zeros(self._session.vocab_size, np.float32)
        wanted = self._left.pop(0)
        if math.isnan(wanted):
            row[:] = np.nan
        else:
            row[int(wanted)] = 20.0
        return row
