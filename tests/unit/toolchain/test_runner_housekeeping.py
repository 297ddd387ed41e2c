"""What the folder of runners holds: what the installed version uses stays, the rest goes when asked for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgeshrink.commands.cache import command
from edgeshrink.engine import runner_folder
from edgeshrink.toolchain.runner import cache, compiling, housekeeping
from edgeshrink.toolchain.runner.cache import RunnerRecord

USED = {
    ("runner", "linux-new"), ("runner", "device-new"), ("objects", "linux-new-objects"), ("sources", "llama.cpp-2.0"),
}  # fmt: skip
UNUSED = {
    ("runner", "linux-old"), ("runner", "linux-other-program"), ("objects", "linux-old-objects"), ("objects", "native"),
    ("sources", "llama.cpp-1.0"),
}  # fmt: skip


def runner(folder: Path, name: str, llama: str, program: str) -> None:
    record = RunnerRecord(f"{llama}+x", "gnu 12", "linux", "arm64", llama, program, 1.0)
    (folder / name).mkdir(parents=True)
    (folder / name / cache.PROGRAM).write_bytes(b"x" * 1000)
    (folder / name / "runner.json").write_text(json.dumps(asdict(record)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runners"
    runner(folder, "linux-new", "2.0", "now")
    runner(folder, "device-new", "2.0", "now")
    runner(folder, "linux-old", "1.0", "now")
    runner(folder, "linux-other-program", "2.0", "before")
    for name, llama in (("linux-new-objects", "2.0"), ("linux-old-objects", "1.0")):
        (folder / "work" / name / "build").mkdir(parents=True)
        (folder / "work" / name / "build" / "CMakeCache.txt").write_text(
            f"A:B=C\nEDGESHRINK_LLAMA:UNINITIALIZED={llama}\n"
        )
    (folder / "work" / "native").mkdir()
    for version in ("1.0", "2.0"):
        (folder / "sources" / f"llama.cpp-{version}").mkdir(parents=True)
        (folder / "sources" / f"llama.cpp-{version}" / "CMakeLists.txt").write_text("x")
    monkeypatch.setenv("EDGESHRINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGESHRINK_RUNNERS", str(folder))
    monkeypatch.setattr(runner_folder, "llama_identity", lambda: "2.0")
    monkeypatch.setattr(runner_folder, "runner_source", lambda: type("Source", (), {"digest": "now"}))
    return folder


def listed() -> dict[tuple[str, str], bool]:
    said = json.loads(
        CliRunner().invoke(command, ["ls", "--json"], catch_exceptions=False, standalone_mode=False).output
    )
    assert said["runner_folder"] == str(runner_folder.runner_folder())
    return {(entry["kind"], entry["name"]): entry["used"] for entry in said["runners"]}


def collect(*flags: str) -> str:
    return CliRunner().invoke(command, ["gc", *flags], catch_exceptions=False, standalone_mode=False).output


def test_the_listing_says_what_is_used(folder: Path) -> None:
    assert listed() == dict.fromkeys(USED, True) | dict.fromkeys(UNUSED, False)


def test_runners_go_only_when_asked_for(folder: Path) -> None:
    collect()
    assert "would remove 5 folders" in collect("--runners", "--dry-run")
    assert set(listed()) == USED | UNUSED
    said = collect("--runners")
    assert "removed 5 folders" in said and "runner linux-old" in said and "sources llama.cpp-1.0" in said
    assert set(listed()) == USED
    assert not (folder / "work" / "linux-old-objects").exists()


def test_what_another_process_builds_stays_with_its_sources(folder: Path) -> None:
    with compiling.held(folder / "work" / "linux-old-objects.lock"):
        gone = housekeeping.remove_unused(folder, llama="2.0", program="now")
    names = {held.name for held in gone}
    assert "linux-old-objects" not in names and "llama.cpp-1.0" not in names
    assert {"linux-old", "native"} <= names


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert housekeeping.everything(tmp_path / "none", llama="2.0", program="now") == ()
