"""Building a runner: once, resumable, kept by all it was made of. llama.cpp is a planted one of three files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeshrink.core.events import Progress
from edgeshrink.errors import StepFailed
from edgeshrink.toolchain import make, ninja
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.program import runner_source
from edgeshrink.toolchain.runner.sources import VARIABLE

from .planted_llama import OWN_LEVEL, builds_here, own_platform, plant_llama, plant_runner

pytestmark = builds_here
_BUILD = """
import sys; from pathlib import Path
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.platform import platform
from edgeshrink.toolchain.runner.program import runner_source
root = Path(sys.argv[1])
print(build_runner(platform(sys.argv[2]), root / "runners", source=runner_source(root / "runner")).path)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """llama/ and runner/ to build from, runners/ to build into."""
    monkeypatch.setenv(VARIABLE, str(plant_llama(tmp_path / "llama")))
    plant_runner(tmp_path / "runner")
    return tmp_path


def build(root: Path, seen: list[Progress] | None = None) -> str:
    """What the built runner prints: its id and 7."""
    listener = (lambda _: None) if seen is None else seen.append
    built = build_runner(own_platform(), root / "runners", source=runner_source(root / "runner"), listener=listener)
    said = subprocess.run([built.path], capture_output=True, text=True, check=True).stdout.strip()
    assert said == f"{built.build_id} 7"
    return said


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(root), OWN_LEVEL], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def appears(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def compilations(root: Path) -> int:
    path = root / "llama/compiled"
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def test_it_is_built_once_and_progress_counts_objects(root: Path) -> None:
    seen: list[Progress] = []
    first = build(root, seen)
    counted = [event for event in seen if event.unit == "objects"]
    assert counted and counted[-1].done == counted[-1].total
    assert all(event.task.startswith(f"build the runner for linux-{OWN_LEVEL}") for event in seen)
    seen.clear()
    assert build(root, seen) == first
    assert not seen


@pytest.mark.skipif(make.find() is None, reason="needs make")
def test_make_will_do_where_there_is_no_ninja(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ninja, "find", lambda: None)
    seen: list[Progress] = []
    build(root, seen)
    assert [event.unit for event in seen if event.done == event.total == 100][-1] == "percent"


def test_another_runner_does_not_compile_llama_again(root: Path) -> None:
    first = build(root)
    main = root / "runner/runner.cpp"
    main.write_text(main.read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
    assert build(root) != first
    assert compilations(root) == 1


def test_another_llama_is_another_build(root: Path) -> None:
    first = build(root)
    (root / "llama/src/first.cpp").write_text("int first() { return 1 + 1; }", encoding="utf-8")
    assert build(root) != first
    assert compilations(root) == 2


def test_a_killed_build_goes_on_where_it_was(root: Path) -> None:
    llama = root / "llama"
    (llama / "closed").touch()
    process = start(root)
    appears(llama / "waiting")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (base,) = root.rglob("base.cpp.o")
    before = base.stat().st_mtime_ns
    (llama / "closed").unlink()
    build(root)
    assert base.stat().st_mtime_ns == before
    assert not list((root / "runners").glob(".*/*"))


def test_a_build_waits_for_what_a_killed_one_left_running(root: Path) -> None:
    """Two compilers must not write one file."""
    llama = root / "llama"
    (llama / "closed").touch()
    process = start(root)
    appears(llama / "waiting")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (llama / "waiting").unlink()
    second = start(root)
    with pytest.raises(subprocess.TimeoutExpired):
        second.communicate(timeout=1.5)
    assert not (llama / "waiting").exists(), "the second build compiled while the first one's compiler ran"
    (llama / "closed").unlink()
    assert second.communicate(timeout=60)[0].strip().endswith("edgeshrink-runner")


def test_two_at_once_build_it_once(root: Path) -> None:
    (root / "llama/closed").touch()
    processes = [start(root), start(root)]
    appears(root / "llama/waiting")
    (root / "llama/closed").unlink()
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1]
    assert compilations(root) == 1


def test_ctrl_c_ends_the_compilers_too(root: Path) -> None:
    llama = root / "llama"
    (llama / "closed").touch()

    class Enough(Exception):
        pass

    def stop(event: Progress) -> None:
        if event.done >= 1:
            raise Enough

    with pytest.raises(Enough):
        build_runner(own_platform(), root / "runners", source=runner_source(root / "runner"), listener=stop)
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(llama).encode() in readable(p)]
    (llama / "closed").unlink()
    build(root)


def readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_an_error_of_the_compiler_is_quoted_and_the_log_named(root: Path) -> None:
    (root / "llama/src/first.cpp").write_text("int first() { return missing_thing; }", encoding="utf-8")
    with pytest.raises(StepFailed) as error:
        build(root)
    assert "missing_thing" in error.value.hint
    log = Path(error.value.hint.rpartition(": ")[2])
    assert "missing_thing" in log.read_text(encoding="utf-8")
    (root / "llama/src/first.cpp").write_text("int first() { return 2; }", encoding="utf-8")
    build(root)


@pytest.mark.parametrize(
    ("flags", "words"),
    [("", "needs the loader"), ("-static -Wl,-z,max-page-size=4096", "aligned to 4096 bytes")],
)
def test_a_program_that_would_not_run_everywhere_is_not_kept(root: Path, flags: str, words: str) -> None:
    forced = f'set(CMAKE_EXE_LINKER_FLAGS "{flags}" CACHE STRING "" FORCE)\nproject('
    edit(root / "runner/CMakeLists.txt", "project(", forced)
    with pytest.raises(StepFailed, match=words):
        build(root)
    assert not list((root / "runners").glob("*/edgeshrink-runner"))


def test_a_damaged_record_is_built_anew(root: Path) -> None:
    first = build(root)
    (record,) = (root / "runners").glob("*/runner.json")
    record.write_text("{", encoding="utf-8")
    assert build(root) == first


def test_what_no_longer_fits_in_the_folder_of_objects_is_swept_away(root: Path) -> None:
    build(root)
    (kept,) = root.rglob("CMakeCache.txt")
    edit(kept, "CMAKE_GENERATOR:INTERNAL=Ninja", "CMAKE_GENERATOR:INTERNAL=Unix Makefiles")
    edit(root / "runner/runner.cpp", "#include <cstdio>", "#include <stdio.h>\n#include <cstdio>")
    build(root)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
