"""A request takes paths as text, as one writes them in Python."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.request import Request


def test_folders_and_files_may_be_given_as_text() -> None:
    request = Request(out="out", calibration="texts/a.txt")  # type: ignore[arg-type]
    assert request.out == Path("out")
    assert request.calibration == Path("texts/a.txt")
    assert Request().out is None


def test_a_model_may_be_given_as_a_path() -> None:
    assert Request(model=Path("folder")).model == "folder"  # type: ignore[arg-type]
