"""Every format says what the source says: tokens, chat template, stop ids, logits, and a greedy answer of 100 tokens.

One test per format and model; the other side is Hugging Face: transformers in float32, its tokenizers, its template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_formats import FLOAT

from edgeshrink.evaluate.conversations import CONVERSATIONS
from edgeshrink.evaluate.hard_strings import HARD_STRINGS
from edgeshrink.runtimes.chat import render_chat
from edgeshrink.runtimes.generate import generate
from edgeshrink.runtimes.interface import Session
from edgeshrink.runtimes.registry import runtime

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

RUNTIME = {"gguf": "llama_cpp", "onnx": "onnx", "executorch": "executorch"}
CASES = [(model, format) for model in ("llama", "qwen3", "demo") for format in FLOAT]
PROMPT = "Alice was beginning to get very tired of sitting by her sister on the bank."
GREEDY = 100


@dataclass(frozen=True)
class Truth:
    """The source model as Hugging Face's libraries run it."""

    folder: Path
    model: Any
    tokenizer: Any
    prompt: tuple[int, ...]
    greedy: tuple[int, ...]

    def logits(self, ids: list[int]) -> Any:
        with torch.no_grad():
            return self.model(torch.tensor([ids])).logits[0].numpy()


@cache
def _truth(folder: Path) -> Truth:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    prompt = tokenizer(PROMPT)["input_ids"]
    said = [*prompt]
    with torch.no_grad():
        answer = model(torch.tensor([said]), use_cache=True)
        for _ in range(GREEDY):
            said.append(int(answer.logits[0, -1].argmax()))
            answer = model(torch.tensor([said[-1:]]), past_key_values=answer.past_key_values, use_cache=True)
    return Truth(folder, model, tokenizer, tuple(prompt), tuple(said[len(prompt) :]))


@pytest.fixture(scope="module", params=CASES, ids=[" ".join(case) for case in CASES])
def pair(
    request: pytest.FixtureRequest,
    source_model: Callable[[str], Path],
    float_model: Callable[[str, str], Path],
) -> Iterator[tuple[Truth, Session]]:
    model, format = request.param
    file = float_model(model, format)
    with runtime(RUNTIME[format]).load(file, context=256, threads=1, exact=True) as session:
        yield _truth(source_model(model)), session


def test_tokens(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    for text in HARD_STRINGS:
        expected = truth.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert session.tokenize(text, add_special=False, parse_special=True) == expected, text
        framed = truth.tokenizer(text)["input_ids"]
        assert session.tokenize(text, add_special=True, parse_special=True) == framed, text
        assert session.detokenize(expected).decode() == truth.tokenizer.decode(expected), text


def test_special_tokens_in_a_text(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    backend = truth.tokenizer.backend_tokenizer
    for token in truth.tokenizer.all_special_tokens:
        for text in (token, f"a{token}b", f"one {token} two"):
            for parse in (True, False):
                backend.encode_special_tokens = not parse
                expected = backend.encode(text, add_special_tokens=False).ids
                assert session.tokenize(text, add_special=False, parse_special=parse) == expected, (text, parse)
    backend.encode_special_tokens = False


def test_framing_and_stop_ids(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    assert session.bos_id == truth.tokenizer.bos_token_id
    assert session.eos_id == truth.tokenizer.eos_token_id
    assert session.adds_bos == (truth.prompt[0] == truth.tokenizer.bos_token_id)
    stops = truth.model.generation_config.eos_token_id
    assert set(session.stop_ids) >= ({stops} if isinstance(stops, int) else set(stops))
    assert session.vocab_size == truth.model.config.vocab_size


def test_chat_template(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    assert session.chat_template is not None
    assert session.bos_id is not None and session.eos_id is not None
    for conversation in CONVERSATIONS:
        found = render_chat(
            session.chat_template,
            conversation.messages,
            tools=conversation.tools,
            add_generation_prompt=conversation.asks,
            bos_token=session.detokenize([session.bos_id]).decode(),
            eos_token=session.detokenize([session.eos_id]).decode(),
        )
        shared = {"tools": conversation.tools, "add_generation_prompt": conversation.asks}
        messages = [dict(message) for message in conversation.messages]
        assert found == truth.tokenizer.apply_chat_template(messages, tokenize=False, **shared)
        ids = truth.tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **shared)
        assert session.tokenize(found, add_special=False, parse_special=True) == ids


def test_logits_at_every_position(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    draw = np.random.default_rng(5)
    ids = [*truth.prompt, *(int(number) for number in draw.integers(3, session.vocab_size, 100))]
    expected = truth.logits(ids)
    assert np.abs(expected).max() > 1  # logits near zero would agree whatever the file says
    assert np.abs(session.logits(ids) - expected).max() < 1e-3
    session.reset()
    assert np.abs(session.prefill(ids) - expected[-1]).max() < 1e-3


def test_a_greedy_answer(pair: tuple[Truth, Session]) -> None:
    truth, session = pair
    assert tuple(generate(session, truth.prompt, max_tokens=GREEDY, stop_ids=())) == truth.greedy
