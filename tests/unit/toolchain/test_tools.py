"""Finding other people's programs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeshrink.toolchain import cmake, cxx, ninja
from edgeshrink.toolchain.interface import first_that_answers, version_in

posix = pytest.mark.skipif(sys.platform == "win32", reason="plants shell scripts")


def plant(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what the test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("c++ (Debian 12.2.0-14) 12.2.0", "12.2.0"),
        ("Apple clang version 15.0.0 (clang-1500.0.40.1)", "15.0.0"),
        ("Microsoft (R) C/C++ Optimizing Compiler Version 19.38.33130 for x64", "19.38.33130"),
        ("no number", ""),
    ],
)
def test_the_version_is_read_from_what_it_prints(text: str, version: str) -> None:
    assert version_in(text) == version


def test_nothing_on_the_path_is_nothing_found(only_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(only_here / "python"))
    assert cxx.find() is None
    assert cmake.find() is None


@posix
def test_the_first_that_runs_is_taken(only_here: Path) -> None:
    plant(only_here, "c++", "exit 1")
    works = plant(only_here, "g++", "echo 'g++ (GCC) 12.2.0'")
    found = cxx.find()
    assert found is not None
    assert (found.path, found.version) == (works, "12.2.0")


@posix
def test_the_compiler_of_the_environment_comes_first(only_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(only_here, "c++", "echo 1.0")
    mine = plant(only_here, "my-c++", "echo 9.9")
    monkeypatch.setenv("CXX", f"{mine} -std=c++20")
    found = cxx.find()
    assert found is not None and found.path == mine


@posix
def test_what_pip_put_beside_this_python_is_found(only_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = only_here / "venv"
    folder.mkdir()
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    assert ninja.find() is None
    program = plant(folder, "ninja", "echo 1.11.1")
    found = ninja.find()
    assert found is not None and (found.path, found.version) == (program, "1.11.1")


@posix
def test_a_program_that_cannot_be_run_is_passed_over(only_here: Path) -> None:
    broken = only_here / "cmake"
    broken.write_bytes(b"\x00not a program")
    broken.chmod(0o755)
    assert first_that_answers(("cmake",)) is None
