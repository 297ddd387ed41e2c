"""The Java compiler is found where it is, and what it refuses is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from java_programs import needs

from edgeshrink.errors import StepFailed, ToolMissing
from edgeshrink.toolchain import javac


def test_java_home_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "javac"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho javac 21.0.5\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = javac.find()
    assert found is not None
    assert (found.path, found.version) == (program, "21.0.5")
    assert javac.version() == "21.0.5"


def test_without_one_the_hint_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert (javac.find(), javac.version()) == (None, "")
    with pytest.raises(ToolMissing, match="no Java compiler") as missing:
        javac.needed()
    assert "apt install openjdk" in missing.value.hint


def test_what_it_refuses_is_told(tmp_path: Path) -> None:
    needs("javac")
    source = tmp_path / "X.java"
    source.write_text("class X { int x = nothing; }\n")
    with pytest.raises(StepFailed, match="cannot find symbol"):
        javac.compile_java([source], beside=tmp_path, folder=tmp_path)
