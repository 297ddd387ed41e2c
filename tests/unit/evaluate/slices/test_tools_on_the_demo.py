"""What the demo model really says to the families of tool use, refusal and format: it was trained on these forms."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from built_gguf import build_gguf

from edgeshrink.evaluate.answers import read_answers
from edgeshrink.evaluate.asking import ask
from edgeshrink.evaluate.slices.interface import Settings
from edgeshrink.evaluate.slices.registry import asking
from edgeshrink.evaluate.subject import Subject

CONTEXT = 512
FAMILIES = {"tools": 24, "refusal": 12, "format": 10}


@pytest.fixture(scope="module")
def shares(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Share of right answers, by slice."""
    folder = tmp_path_factory.mktemp("demo")
    gguf = build_gguf(demo_model, folder / "demo.gguf", "F32").path
    settings = Settings(True, CONTEXT, 3.0)
    items = [
        (asking(name), item)
        for name, count in FAMILIES.items()
        for item in asking(name).items(settings, Random(5), count)
    ]
    file = folder / "answers.jsonl"
    ask(
        Subject(gguf, "llama_cpp", "cpu"),
        (item for _, item in items),
        file,
        context=CONTEXT,
        threads=1,
        total=len(items),
    )
    right: dict[str, list[float]] = defaultdict(list)
    for (family, item), (_, answers) in zip(items, read_answers(file), strict=True):
        for score in family.score(item, answers, answers):
            value = score.values["right"][0]
            assert isinstance(value, float)
            right[score.slice].append(value)
    return {name: sum(values) / len(values) for name, values in right.items()}


@pytest.mark.parametrize(
    "name",
    ["tools/decision", "tools/json", "tools/function", "tools/arguments", "refusal", "format/stop", "format/template"],
)
def test_the_demo_can_do_it(shares: dict[str, float], name: str) -> None:
    assert shares[name] >= 0.9


def test_the_demo_knows_nothing_of_harm(shares: dict[str, float]) -> None:
    assert shares["refusal/harmful"] < 0.9
