"""Flags of `build` that only mean something together."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.cli import root
from edgeshrink.errors import DataError, Error, UsageError


def refused(*arguments: str) -> Error:
    with pytest.raises(Error) as caught:
        root.main(["build", *arguments], standalone_mode=False)
    return caught.value


def test_a_lock_that_nothing_would_read_is_refused(tmp_path: Path) -> None:
    found = refused("--lock", str(tmp_path / "edgeshrink.lock"), "-o", str(tmp_path / "out"))
    assert isinstance(found, UsageError)
    assert "--locked" in found.hint


@pytest.mark.parametrize("format", ["gguf", "all"])
def test_a_locked_build_looks_for_its_lock_in_the_output_folder(tmp_path: Path, format: str) -> None:
    found = refused("--locked", "--format", format, "-o", str(tmp_path / "out"))
    assert isinstance(found, DataError)
    assert str(tmp_path / "out") in found.message
