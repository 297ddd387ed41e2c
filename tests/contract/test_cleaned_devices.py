"""`edgeshrink devices --device X --clean`: all of ours goes, nothing else does, and what is in use stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from device_links import LINKS, Link, some_file

from edgeshrink.commands.devices import command
from edgeshrink.devices import places
from edgeshrink.devices.leftovers import new_note
from edgeshrink.devices.removal import new_name
from edgeshrink.errors import DeviceError, UsageError

LONG_AGO = ("touch", "-t", "202001010000")


@pytest.fixture(autouse=True)
def own_folders(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the local link is this machine, its other folders are somebody's own."""
    monkeypatch.setenv("EDGESHRINK_CACHE", str(link.leftovers.parent))
    monkeypatch.setitem(places._CANDIDATES, link.transport.address.kind, (link.folder, link.folder))


def clean(link: Link, *flags: str) -> str:
    arguments = ["--device", str(link.transport.address), "--clean", *flags]
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize("link", LINKS, indirect=True)
def test_kept_files_and_leftovers_go_and_nothing_else(link: Link, tmp_path: Path) -> None:
    source, sha256 = some_file(tmp_path, 300_000)
    with link.workspace(keep=True) as workspace:
        kept = workspace.put(source, sha256=sha256, name="model.bin")
    noted, old, young, foreign = (f"{link.folder}/{name}" for name in (*(new_name() for _ in range(3)), "edgeshrink-x"))
    for folder in (noted, old, young, foreign):
        assert link.transport.run(("mkdir", folder)).status == 0
    assert link.transport.run((*LONG_AGO, old, foreign)).status == 0
    note = new_note(link.leftovers, link.transport.address)
    note.write(noted)
    note.release()
    told = json.loads(clean(link, "--json"))[0]
    assert sorted(told["removed"]) == sorted((kept.rpartition("/")[0], noted, old))
    assert told["freed_bytes"] >= 300_000
    assert [young in sentence for sentence in told["stays"]] == [True]
    assert [link.is_there(path) for path in (kept, noted, old, young, foreign)] == [False] * 3 + [True] * 2
    assert link.notes() == []
    assert "there was nothing to remove" in clean(link)
    assert link.transport.run(("rm", "-r", young, foreign)).status == 0


def test_a_device_that_a_session_uses_is_left_alone(link: Link, tmp_path: Path) -> None:
    source, sha256 = some_file(tmp_path, 1000)
    with link.workspace(keep=True) as workspace:
        kept = workspace.put(source, sha256=sha256, name="model.bin")
        with pytest.raises(DeviceError, match="a session with it is running"):
            clean(link)
        assert link.is_there(kept)
    assert "removed" in clean(link)
    assert not link.is_there(kept)


def test_a_device_must_be_named() -> None:
    with pytest.raises(UsageError, match="that are named"):
        CliRunner().invoke(command, ["--clean"], standalone_mode=False, catch_exceptions=False)
