"""When the loader in Python hands over: by the confidence that the threshold was fitted with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from loaded_bundles import DEMO_CHAT_STOP
from sample_cargo import FALLBACK, sample_cargo

from edgeshrink.core.bundle import Chat
from edgeshrink.evaluate.answering import Answerer
from edgeshrink.evaluate.probes import TEMPERATURES, Generate, Prompt, Said
from edgeshrink.evaluate.subject import Subject

CHAT = Chat("chat_template.jinja", "<|begin|><|user|>", "<|end|><|assistant|>", ("<|end|>",), (DEMO_CHAT_STOP,))
QUESTIONS = (("37+45=", 24), ("Tell me a story.", 6))


@pytest.fixture(scope="module")
def folder(demo_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model with a fallback at a temperature that confidence is recorded at."""
    place = tmp_path_factory.mktemp("fallback") / "bundle"
    fallback = dataclasses.replace(FALLBACK, temperature=TEMPERATURES[16])
    sample_cargo(place, demo_gguf, name="demo", chat=CHAT, main="model/demo.gguf", fallback=fallback)
    return place


def without_fallback(folder: Path, copy: Path) -> Path:
    copy.mkdir()
    for part in folder.iterdir():
        (copy / part.name).symlink_to(part)
    said = json.loads((folder / "bundle.json").read_text())
    (copy / "bundle.json").unlink()
    (copy / "bundle.json").write_text(json.dumps({**said, "fallback": None}))
    return copy


def test_the_fallback_is_read_as_it_was_written(loader: ModuleType, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    sample_cargo(place, b"GGUF", fallback=FALLBACK)
    import loader_under_test.about as about

    read = about.read_about(place).fallback
    assert dataclasses.asdict(read) == dataclasses.asdict(FALLBACK)
    assert isinstance(read.curve[0], loader.Operating)


@pytest.mark.parametrize(
    ("confidence", "handed_over"), [(0.61, True), (0.62, False), (1.0, False), (float("nan"), True)]
)
def test_below_the_threshold_it_hands_over(loader: ModuleType, confidence: float, handed_over: bool) -> None:
    fallback = loader.Fallback(0.62, 1.0, 0.05, 0.8, ())
    assert fallback.hand_over(confidence) is handed_over


def test_the_confidence_of_an_answer_is_the_one_that_was_fitted(loader: ModuleType, folder: Path) -> None:
    """The suite records it in exact arithmetic: the smallest probability of a chosen token, the stop token too."""
    with (
        loader.load(folder, threads=1) as model,
        Subject(folder / "model/demo.gguf", "llama_cpp", "cpu").open(context=512, threads=1) as session,
    ):
        assert model.confidence is None
        seen = set()
        for question, limit in QUESTIONS:
            text = model.answer(question, max_tokens=limit)
            said = Answerer(session, 512).answer(
                Generate(Prompt(text=question), max_tokens=limit), CHAT.before + question + CHAT.after, chat=True
            )
            assert isinstance(said, Said) and said.text == text
            seen.add(said.ended)
            assert model.confidence == pytest.approx(np.exp(said.confidence[16]), rel=0.01)
        assert seen == {"stop token", "limit"}


def test_the_confidence_falls_as_the_answer_is_read(loader: ModuleType, folder: Path) -> None:
    with loader.load(folder, threads=1) as model:
        values = [model.confidence for _ in model.stream("Tell me a story.", max_tokens=16)]
        assert values == sorted(values, reverse=True) and values[0] > values[-1] > 0
        model.stream("Tell me a story.", max_tokens=16)
        assert model.confidence == 1.0  # nothing was read of it yet


def test_without_a_fallback_there_is_no_confidence(loader: ModuleType, folder: Path, tmp_path: Path) -> None:
    with loader.load(without_fallback(folder, tmp_path / "copy"), threads=1) as model:
        model.answer("37+45=", max_tokens=4)
        assert model.fallback is None and model.confidence is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_no_confidence(loader: ModuleType, wrong: float) -> None:
    import loader_under_test.generating as generating

    confidence: Any = generating.Confidence(1.0)
    confidence.chose(np.array([0.0, 1.0], np.float32), 1)
    assert confidence.value == pytest.approx(1 / (1 + np.exp(-1)))
    confidence.chose(np.array([0.0, wrong], np.float32), 0)
    assert confidence.value == 0.0
