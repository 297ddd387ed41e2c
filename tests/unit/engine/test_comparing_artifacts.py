"""`edgeshrink compare` of two files: both answer the same items, the first one being the reference."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from built_gguf import build_gguf

from edgeshrink.cli import root

SUITES = {
    "asked": 'name = "asked"\n[ask.arithmetic]\nitems = 16\n',
    "read": 'name = "read"\nreading = ["text"]\ntext-tokens = 512\n[[text]]\nlabel = "general"\n',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """Q8_0.gguf, a copy of it, Q2_K.gguf, and two small suites."""
    made = tmp_path_factory.mktemp("compared")
    for scheme in ("Q8_0", "Q2_K"):
        build_gguf(demo_model, made / f"{scheme}.gguf", scheme)
    shutil.copy(made / "Q8_0.gguf", made / "copy.gguf")
    for name, text in SUITES.items():
        (made / f"{name}.toml").write_text(text, encoding="utf-8")
    return made


def compared(capsys: pytest.CaptureFixture[str], folder: Path, b: str, suite: str) -> tuple[int, dict[str, Any]]:
    files = (str(folder / "Q8_0.gguf"), str(folder / b))
    arguments = ["compare", *files, "--suite", str(folder / f"{suite}.toml"), "--rounds", "0", "--json"]
    code = root.main(arguments, standalone_mode=False)
    return code, json.loads(capsys.readouterr().out)


def test_a_copy_is_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = compared(capsys, folder, "copy.gguf", "asked")
    rows = {(row["name"], row["metric"]): row for row in told["rows"]}
    assert code == 0
    assert not any(row["regression"] or row["word"] in ("worse", "better") for row in rows.values())
    assert rows["arithmetic", "right"]["change"]["value"] == 0
    assert rows["artifact size", ""]["word"] == "same"


def test_two_bits_are_a_regression_that_is_smaller(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = compared(capsys, folder, "Q2_K.gguf", "read")
    rows = {(row["name"], row["metric"]): row for row in told["rows"]}
    apart, ratio = rows["text/general", "mean KL"], rows["text/general", "perplexity ratio"]
    assert code == 1
    assert (apart["word"], apart["regression"], apart["a"]["kind"]) == ("worse", True, "unmeasured")
    assert apart["change"]["value"] > 0.1 and ratio["b"]["value"] > 1.05
    assert rows["artifact size", ""]["word"] == "better"
    assert told["quality"].startswith("suite read, seed 0: both answered the same items")
