"""The device's choices against this host's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.measure.device.events import Greedy
from edgeshrink.measure.device.parity import choices_here, parity_reading
from edgeshrink.runtimes import llama_cpp

PROMPT = (5, 6, 7, 8)


@pytest.fixture(scope="module")
def chosen(tiny_gguf: Path) -> tuple[int, ...]:
    """What this host says when it goes on by itself."""
    with llama_cpp.load(tiny_gguf, context=256, threads=1) as session:
        ids = [int(session.prefill(PROMPT).argmax())]
        while len(ids) < 12:
            ids.append(int(session.decode(ids[-1]).argmax()))
    return tuple(ids)


def test_the_same_text_is_the_whole_share(tiny_gguf: Path, chosen: tuple[int, ...]) -> None:
    found = parity_reading(tiny_gguf, Greedy(PROMPT, chosen), context=256, threads=1)
    assert isinstance(found, Measured)
    assert (found.value, found.n) == (1.0, 12)
    assert found.how.startswith("12 of 12 greedy ids as this host's CPU chooses them")


def test_after_another_word_this_host_goes_on_from_the_devices(tiny_gguf: Path, chosen: tuple[int, ...]) -> None:
    other = (chosen[0] + 1) % 300
    parameters = {"path": str(tiny_gguf), "prompt": list(PROMPT), "context": 256, "threads": 1}
    after = choices_here({**parameters, "ids": [other, 0]}, lambda _: None)["choices"]
    assert isinstance(after, list)
    found = parity_reading(tiny_gguf, Greedy(PROMPT, (other, after[1])), context=256, threads=1)
    assert isinstance(found, Measured) and found.value == 0.5


def test_what_cannot_be_compared_says_why(tiny_gguf: Path, tmp_path: Path) -> None:
    assert isinstance(parity_reading(tiny_gguf, Greedy(PROMPT, ()), context=256, threads=1), Unmeasured)
    beyond = parity_reading(tiny_gguf, Greedy((1 << 20,), (1,)), context=256, threads=1)
    assert isinstance(beyond, Unmeasured) and "outside the vocabulary" in beyond.reason
