"""A plan for all formats of a target leaves out those that take no mixture of experts, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import write_tiny_model

from edgeshrink.core.request import Request
from edgeshrink.engine.planner import outlooks
from edgeshrink.errors import UnsupportedModel


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("tiny") / "model", demo_model, "mixtral"))


def test_the_formats_that_take_it_are_planned(mixture: str) -> None:
    (only,) = outlooks(Request(model=mixture, target="laptop-cpu", format="all"))
    assert only.format == "gguf"
    left_out = [note for note in only.notes if note.startswith("left out: ")]
    assert len(left_out) == 2 and "not as ONNX" in " ".join(left_out) and "not as ExecuTorch" in " ".join(left_out)


def test_a_format_that_was_named_is_refused(mixture: str) -> None:
    with pytest.raises(UnsupportedModel, match="not as ONNX"):
        outlooks(Request(model=mixture, target="laptop-cpu", format="onnx"))
