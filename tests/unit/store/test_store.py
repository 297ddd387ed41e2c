"""A result is whole in the store or not there, and the store can say why a step ran."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.core.events import Listener
from edgeshrink.errors import NoSpace, StepFailed, UsageError
from edgeshrink.store import Store, store_root


@dataclass(frozen=True)
class WriteText:
    """A step that writes its parameter into a file."""

    text: str
    fail: Exception | None = None
    id: str = "write"
    version: int = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {"parameters": {"text": self.text}}

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        (workdir / "text.txt").write_text(self.text, encoding="utf-8")
        if self.fail is not None:
            raise self.fail

    def ensures(self, workdir: Path) -> None: ...


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_second_run_of_the_same_step_is_answered_by_the_store(store: Store) -> None:
    first = store.run(WriteText("a"))
    second = store.run(WriteText("a"))
    assert second == first
    assert [decision.reused for decision in store.decisions] == [False, True]
    assert second.file("text.txt").read_text(encoding="utf-8") == "a"


def test_why_names_the_part_that_changed(store: Store) -> None:
    store.run(WriteText("a"))
    store.run(WriteText("b"))
    assert [decision.why for decision in store.decisions] == ["never made before", 'parameters.text: "a" -> "b"']


def test_a_step_that_fails_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(StepFailed):
        store.run(WriteText("a", StepFailed("no")))
    assert store.entries() == ()
    assert list((store.root / "work").iterdir()) == []


def test_a_full_disk_is_said_in_clear_words_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(NoSpace, match="full"):
        store.run(WriteText("a", OSError(errno.ENOSPC, "No space left on device")))
    assert list((store.root / "work").iterdir()) == []


def test_a_damaged_result_counts_as_absent_and_is_made_again(store: Store) -> None:
    stored = store.run(WriteText("abc"))
    stored.file("text.txt").write_text("ab", encoding="utf-8")
    assert store.find(stored.key) is None
    assert store.run(WriteText("abc")).file("text.txt").read_text(encoding="utf-8") == "abc"
    assert store.decisions[-1].why == "its stored files are gone or damaged"


def test_again_replaces_the_stored_result(store: Store) -> None:
    store.run(WriteText("a"))
    store.run(WriteText("a"), again=True)
    assert [decision.reused for decision in store.decisions] == [False, False]
    assert len(store.entries()) == 1


def test_the_last_run_tells_what_was_decided(store: Store) -> None:
    store.run(WriteText("a"))
    assert Store(store.root).last_run() == tuple(store.decisions)


def test_garbage_collection_takes_old_results_and_spares_young_ones(store: Store) -> None:
    store.run(WriteText("a"))
    assert store.collect_garbage(keep_days=1) == (0, 0)
    assert store.collect_garbage(keep_days=-1, dry_run=True)[0] == 1
    assert len(store.entries()) == 1
    assert store.collect_garbage(keep_days=-1)[0] == 1
    assert store.entries() == ()


def test_garbage_collection_takes_what_a_killed_build_left(store: Store) -> None:
    (store.root / "work" / "dead.xyz").mkdir()
    (store.root / "work" / "dead.xyz" / "half").write_text("half", encoding="utf-8")
    assert store.collect_garbage(keep_days=1) == (1, 4)
    assert list((store.root / "work").iterdir()) == []


def test_garbage_collection_leaves_a_store_in_use_alone(store: Store) -> None:
    store.run(WriteText("a"))
    with Store(store.root).in_use(), pytest.raises(UsageError, match="a build is using the store"):
        store.collect_garbage(keep_days=-1)
    assert len(store.entries()) == 1
    assert store.collect_garbage(keep_days=-1)[0] == 1


def test_making_a_result_takes_away_what_a_killed_build_of_it_left(store: Store) -> None:
    key = store.run(WriteText("a")).key
    leftover = store.root / "work" / f"{key[:16]}.dead"
    leftover.mkdir()
    store.run(WriteText("a"), again=True)
    assert not leftover.exists()


def test_the_store_moves_with_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGESHRINK_CACHE", str(tmp_path / "elsewhere"))
    assert store_root() == tmp_path / "elsewhere"


def test_a_store_that_cannot_be_written_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot write") as caught:
        Store(tmp_path / "file" / "store")
    assert "EDGESHRINK_CACHE" in caught.value.hint


_SLOW_BUILD = """
import sys, time
from pathlib import Path
from dataclasses import dataclass
sys.path.insert(0, {tests!r})
from test_store import WriteText
from edgeshrink.store import Store

class Slow(WriteText):
    def call(self, workdir, listener):
        (workdir / "text.txt").write_text("begun", encoding="utf-8")
        Path({marker!r}).open("a").write("x")
        time.sleep({seconds})
        (workdir / "text.txt").write_text("whole", encoding="utf-8")

print(Store(Path({root!r})).run(Slow("slow")).file("text.txt").read_text(encoding="utf-8"))
"""


def _slow_build(root: Path, marker: Path, seconds: float) -> subprocess.Popen[str]:
    code = _SLOW_BUILD.format(tests=str(Path(__file__).parent), marker=str(marker), seconds=seconds, root=str(root))
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def _wait_for(marker: Path) -> None:
    for _ in range(600):
        if marker.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{marker} never appeared")


def test_two_builds_at_once_make_a_result_once(tmp_path: Path) -> None:
    marker = tmp_path / "calls"
    with _slow_build(tmp_path / "s", marker, 0.5) as one, _slow_build(tmp_path / "s", marker, 0.5) as two:
        outputs = one.communicate(timeout=60)[0], two.communicate(timeout=60)[0]
    assert outputs == ("whole\n", "whole\n")
    assert marker.read_text(encoding="utf-8") == "x"


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_killed_build_leaves_no_result_and_the_next_one_goes_on(tmp_path: Path) -> None:
    marker = tmp_path / "calls"
    with _slow_build(tmp_path / "s", marker, 60) as killed:
        _wait_for(marker)
        killed.kill()
    store = Store(tmp_path / "s")
    assert store.entries() == ()
    with _slow_build(tmp_path / "s", marker, 0) as again:
        assert again.communicate(timeout=60)[0] == "whole\n"


@dataclass(frozen=True)
class CountUp:
    """A step that goes on from what a run before it left."""

    until: int
    fail_at: int | None = None
    id: str = "count"
    version: int = 1
    resumes: bool = True

    def key_parts(self) -> Mapping[str, Any]:
        return {"parameters": {"until": self.until}}

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        file = workdir / "numbers.txt"
        done = len(file.read_text(encoding="utf-8").split()) if file.exists() else 0
        for number in range(done, self.until):
            if number == self.fail_at:
                raise StepFailed("broken off")
            with file.open("a", encoding="utf-8") as stream:
                stream.write(f"{number} ")

    def ensures(self, workdir: Path) -> None: ...


def test_a_step_that_resumes_goes_on_from_what_a_broken_run_left(store: Store) -> None:
    with pytest.raises(StepFailed):
        store.run(CountUp(5, fail_at=3))
    kept = next((store.root / "unfinished").iterdir()) / "result/numbers.txt"
    assert kept.read_text(encoding="utf-8") == "0 1 2 "
    kept.write_text("7 8 9 ", encoding="utf-8")
    whole = store.run(CountUp(5))
    assert whole.file("numbers.txt").read_text(encoding="utf-8") == "7 8 9 3 4 "
    assert not list((store.root / "unfinished").iterdir())


def test_unfinished_work_is_garbage_only_when_it_is_as_old_as_what_goes(store: Store) -> None:
    with pytest.raises(StepFailed):
        store.run(CountUp(5, fail_at=3))
    folder = next((store.root / "unfinished").iterdir())
    store.collect_garbage(keep_days=1)
    assert folder.exists()
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (0, 0))
    store.collect_garbage(keep_days=1)
    assert not folder.exists()
