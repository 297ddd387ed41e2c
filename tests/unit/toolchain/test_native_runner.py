"""The real runner, linked here against the llama.cpp that pip installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from edgeshrink.toolchain import cxx
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.platform import platform
from edgeshrink.toolchain.runner.program import RunnerSource, runner_source
from edgeshrink.toolchain.runner.sources import VARIABLE

pytestmark = pytest.mark.skipif(sys.platform == "win32" or cxx.find() is None, reason="no C++ compiler")


def test_it_is_there_in_seconds_without_any_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    runners = tmp_path / "runners"
    built = build_runner(platform("native"), runners)
    lines = subprocess.run([built.path, "info"], capture_output=True, text=True, check=True).stdout.splitlines()
    hello = json.loads(lines[0])
    assert hello["event"] == "hello"
    assert hello["build"] == built.build_id
    assert hello["llama"] == metadata.version("llama-cpp-python")
    assert build_runner(platform("native"), runners) == built
    assert not (runners / "sources").exists()


def test_the_source_ships_with_the_package() -> None:
    assert {"runner.cpp", "CMakeLists.txt"} <= {path.name for path in runner_source().files}


def test_cmake_is_told_of_every_file_that_a_native_link_compiles() -> None:
    """Two lists, and a file that only one of them has would be missing from runners for devices."""
    source = runner_source()
    (listing,) = (path.read_text(encoding="utf-8") for path in source.files if path.name == "CMakeLists.txt")
    named = listing.partition("add_executable(edgeshrink-runner")[2].partition(")")[0].split()
    assert named == sorted(path.name for path in source.compiled)
    assert source.compiled[-1].name == "runner.cpp"


def test_the_digest_follows_every_file(tmp_path: Path) -> None:
    def source() -> RunnerSource:
        return runner_source(tmp_path)

    for name in ("runner.cpp", "CMakeLists.txt", "clock.h"):
        (tmp_path / name).write_text("", encoding="utf-8")
    before = source().digest
    (tmp_path / "notes.md").write_text("not compiled", encoding="utf-8")
    assert source().digest == before
    (tmp_path / "clock.h").write_text("// changed", encoding="utf-8")
    assert source().digest != before
