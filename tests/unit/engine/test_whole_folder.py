"""A folder is wholly the old or wholly the new; nothing is left beside it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgeshrink.engine.whole_folder import exchange, whole_file, whole_folder
from edgeshrink.errors import NoSpace, UsageError

_HOLDS_ONE_OPEN = """
import sys, time
from pathlib import Path
from edgeshrink.engine.whole_folder import whole_folder
with whole_folder(Path(sys.argv[1])) as new:
    (new / "half").write_text("half")
    print("open", flush=True)
    time.sleep(60)
"""


def beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path != folder)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    return folder


def test_a_new_folder_appears_whole_with_its_mode_under_any_umask(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "new"
    before = os.umask(0o077)
    try:
        with whole_folder(folder) as new:
            assert new.parent.parent == folder.parent
            assert not folder.exists()
            (new / "a").write_text("a")
    finally:
        os.umask(before)
    assert (folder / "a").read_text() == "a"
    assert folder.stat().st_mode & 0o777 == 0o755
    assert beside(folder) == []


def test_an_existing_folder_is_exchanged_and_its_old_content_removed(ours: Path) -> None:
    with whole_folder(ours) as new:
        (new / "new.txt").write_text("new")
        assert [path.name for path in ours.iterdir()] == ["old.txt"]
    assert [path.name for path in ours.iterdir()] == ["new.txt"]
    assert beside(ours) == []


def test_a_folder_behind_a_link_is_exchanged_where_it_stands(ours: Path) -> None:
    link = ours.parent / "link"
    link.symlink_to(ours)
    with whole_folder(link) as new:
        (new / "new.txt").write_text("new")
    assert link.is_symlink()
    assert [path.name for path in ours.iterdir()] == ["new.txt"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_a_failed_block_leaves_the_old_folder_and_nothing_else(ours: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), whole_folder(ours) as new:
        (new / "half").write_text("half")
        raise failure
    assert [path.name for path in ours.iterdir()] == ["old.txt"]
    assert beside(ours) == []


def test_a_full_disk_is_said_as_one(ours: Path) -> None:
    with pytest.raises(NoSpace, match="ours is full"), whole_folder(ours):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert beside(ours) == []


def test_a_file_is_not_replaced_by_a_folder_nor_the_other_way_round(ours: Path) -> None:
    with pytest.raises(UsageError, match="is a file"), whole_folder(ours / "old.txt"):
        pass
    with pytest.raises(UsageError, match="is a folder"), whole_file(ours):
        pass
    assert (ours / "old.txt").read_text() == "old"


def test_where_the_file_system_exchanges_nothing_it_is_refused_before_any_work(
    ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("edgeshrink.engine.whole_folder.exchange", refuse)
    with pytest.raises(UsageError, match="cannot be replaced in one step") as caught, whole_folder(ours):
        raise AssertionError("the block ran")
    assert "-o" in caught.value.hint
    assert beside(ours) == []


def test_a_folder_that_came_into_being_meanwhile_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with pytest.raises(UsageError, match="meanwhile"), whole_folder(folder) as new:
        (new / "mine").touch()
        folder.mkdir()
        (folder / "theirs").touch()
    assert [path.name for path in folder.iterdir()] == ["theirs"]


def test_two_folders_change_places(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()


def test_what_a_killed_run_left_goes_with_the_next_and_a_living_one_s_stays(ours: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS_ONE_OPEN, str(ours)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with whole_folder(ours) as new:
            (new / "mine").touch()
        assert len(beside(ours)) == 1
        other.send_signal(signal.SIGKILL)
    assert len(beside(ours)) == 1
    with whole_folder(ours) as new:
        (new / "again").touch()
    assert beside(ours) == []
    assert [path.name for path in ours.iterdir()] == ["again"]


def test_a_link_that_looks_like_a_leftover_is_not_followed(ours: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / ".edgeshrink-whole-ours.abcd").symlink_to(precious)
    with whole_folder(ours):
        pass
    assert (precious / "file").exists()


def test_a_file_is_replaced_whole_through_a_link_and_kept_when_writing_fails(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)
    with pytest.raises(RuntimeError), whole_file(link) as new:
        new.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    with whole_file(link) as new:
        new.write_text("new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
