"""The importance matrix that is computed is the mean square of what enters each weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_gguf import Built

from edgeshrink.catalog.source_tokenizer import open_source_tokenizer
from edgeshrink.compress.imatrix import check_importance, collect_importance
from edgeshrink.core.events import Progress
from edgeshrink.core.importance import Importance
from edgeshrink.errors import DataError, RuntimeFailed

CHUNK, CHUNKS = 128, 4


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def collected(stories_f32: Built, story_text: str, seen: list[Progress]) -> Importance:
    return collect_importance(
        stories_f32.path,
        story_text,
        name="stories",
        context=CHUNK,
        threads=1,
        max_chunks=CHUNKS,
        listener=seen.append,
    )


def test_it_covers_every_matrix_of_the_blocks_and_nothing_else(stories_f32: Built, collected: Importance) -> None:
    matrices = {entry.name for entry in stories_f32.tensors if len(entry.shape) == 2 and entry.name.startswith("blk.")}
    assert collected.sums.keys() == matrices
    assert check_importance(collected, stories_f32.tensors) == ()


def test_it_says_how_much_it_saw(collected: Importance, seen: list[Progress]) -> None:
    assert {int(count[0]) for count in collected.counts.values()} == {CHUNK * CHUNKS}
    assert (collected.datasets, collected.tokens) == (("stories",), CHUNK * CHUNKS)
    assert [event.done for event in seen] == [CHUNK * (index + 1) for index in range(CHUNKS)]
    assert {(event.total, event.unit) for event in seen} == {(CHUNK * CHUNKS, "tokens")}


def test_weights_with_one_input_have_one_importance(collected: Importance) -> None:
    for layer in range(5):
        q, k, v = (collected.values[f"blk.{layer}.attn_{part}.weight"] for part in "qkv")
        assert q.tobytes() == k.tobytes() == v.tobytes()
        gate, up = (collected.values[f"blk.{layer}.ffn_{part}.weight"] for part in ("gate", "up"))
        assert gate.tobytes() == up.tobytes()


def test_it_agrees_with_hooks_on_every_linear_layer_of_transformers(
    stories: Path, stories_f32: Built, story_text: str, collected: Importance
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32).eval()
    squares: dict[str, Any] = {}

    def listen(name: str) -> Any:
        def hook(_: Any, inputs: tuple[Any, ...]) -> None:
            rows = inputs[0].detach().double().reshape(-1, inputs[0].shape[-1])
            squares[name] = squares.get(name, 0) + (rows * rows).sum(0).numpy()

        return hook

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(listen(f"{name}.weight"))
    ids = open_source_tokenizer(stories_f32.facts, stories_f32.vocabulary).frame(story_text)
    with torch.no_grad():
        for start in range(0, CHUNK * CHUNKS, CHUNK):
            model(torch.tensor([[stories_f32.vocabulary.bos_id, *ids[start + 1 : start + CHUNK]]]))
    compared = 0
    for entry in stories_f32.tensors:
        if entry.name in collected.values:
            expected = squares[entry.source] / (CHUNK * CHUNKS)
            np.testing.assert_allclose(collected.values[entry.name], expected, rtol=1e-4)
            compared += 1
    assert compared == 35


def test_a_text_shorter_than_two_chunks_is_refused_with_the_counts(stories_f32: Built) -> None:
    with pytest.raises(DataError, match="fewer than 2 chunks of 512"):
        collect_importance(stories_f32.path, "Once upon a time.", name="short", context=512, threads=1)


def test_a_file_that_is_no_model_is_the_runtimes_refusal(tmp_path: Path) -> None:
    path = tmp_path / "garbage.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(RuntimeFailed, match=r"garbage\.gguf"):
        collect_importance(path, "text", name="x", context=64, threads=1)
