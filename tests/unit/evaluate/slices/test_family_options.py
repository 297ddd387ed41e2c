"""Options of families come from a person's file: whatever stands there is refused by name, and never a traceback."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from edgeshrink.errors import DataError, UsageError
from edgeshrink.evaluate.slices.interface import Settings
from edgeshrink.evaluate.slices.registry import ASKING, asking
from edgeshrink.evaluate.suite_files import load_suite

NAMED = ("own", "bfcl")
"""Their files are looked at when a suite is read."""
WRONG: tuple[Any, ...] = ("many", -1, 1.5, True, [], ["x"], [None], [{}], [[1]], {"a": 1})
OPTIONS = [(name, option) for name in ASKING if name not in NAMED for option in asking(name).OPTIONS]


@pytest.mark.parametrize(("family", "option"), OPTIONS)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_wrong_option_is_refused_by_name(family: str, option: str, value: Any) -> None:
    settings = Settings(chat=True, context=512, characters_per_token=3.0, options={option: value})
    with pytest.raises(UsageError, match=f"{family}: {option} is "):
        asking(family).slices(settings)
        list(asking(family).items(settings, Random(1), 1))


def test_an_option_that_no_family_has_is_refused_when_the_suite_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[ask]\narithmetic = { items = 3, digitz = [3] }\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.toml: ask\.arithmetic has no option 'digitz'"):
        load_suite(str(file))
