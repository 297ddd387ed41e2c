"""What is remembered about a device: believed only where it names a folder of ours, touched only where it is free."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from edgeshrink.core.device import parse_address
from edgeshrink.devices import removal
from edgeshrink.devices.leftovers import clean_leftovers, new_note
from edgeshrink.devices.removal import end_process, is_ours, new_name, remove, remove_kept
from edgeshrink.devices.transports.local import LocalTransport
from edgeshrink.errors import DeviceError

HERE = parse_address("local")


@pytest.mark.parametrize(
    "folder",
    [
        "/",
        "",
        "edgeshrink-0123456789abcdef",
        "/home/me",
        "/home/me/edgeshrink-keep",
        "/home/me/edgeshrink-0123456789abcde",
        "/home/me/edgeshrink-0123456789abcdef/",
        "/home/me/edgeshrink-0123456789abcdef/..",
        "/home/../edgeshrink-0123456789abcdef",
        "//home/edgeshrink-0123456789abcdef",
        "/home//me/edgeshrink-0123456789abcdef",
        "/home/\n/edgeshrink-0123456789abcdef",
        "/home/edgeshrink-0123456789abcdef\n",
        "/home/edgeshrink-0123456789ABCDEF",
    ],
)
def test_only_a_plain_path_of_our_making_is_ever_removed(folder: str) -> None:
    assert not is_ours(folder)
    with pytest.raises(DeviceError, match="left alone"):
        remove(LocalTransport(), folder)
    with pytest.raises(DeviceError, match="left alone"):
        end_process(LocalTransport(), folder, "pid.1")
    if folder != "/home/me/edgeshrink-keep":
        with pytest.raises(DeviceError, match="left alone"):
            remove_kept(LocalTransport(), folder)


def test_a_path_of_our_making_may_have_any_parent() -> None:
    assert is_ours(f"/home/zoë müller/{new_name()}")
    assert is_ours(f"/{new_name()}")


def test_a_link_in_the_place_of_our_folder_is_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    link = tmp_path / new_name()
    link.symlink_to(precious)
    remove(LocalTransport(), str(link))
    assert not link.is_symlink()
    assert (precious / "file").exists()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="lsof is played by Linux's /proc")
def test_without_proc_the_noted_processes_are_asked_about_with_lsof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "lsof").write_text('#!/bin/sh\nprintf "p%s\\nfcwd\\nn%s\\n" "$3" "$(readlink "/proc/$3/cwd")"\n')
    (programs / "lsof").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(removal, "_REMOVE", removal._REMOVE.replace("/proc", "/as-on-macos"))
    folder = _ours(tmp_path)
    with (
        subprocess.Popen(["sleep", "1000"], cwd=folder) as ours,
        subprocess.Popen(["sleep", "1000"], cwd=tmp_path) as stranger,
    ):
        (folder / "pid.1").write_text(f"{ours.pid}\n")
        (folder / "pid.2").write_text(f"{stranger.pid}\nnonsense; rm -rf /\n")
        remove(LocalTransport(), str(folder))
        assert ours.wait(10) == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()
    assert not folder.exists()


def _ours(tmp_path: Path) -> Path:
    folder = tmp_path / new_name()
    (folder / "deep").mkdir(parents=True)
    return folder


def test_an_ended_sessions_folder_is_removed_and_forgotten(tmp_path: Path) -> None:
    folder, leftovers = _ours(tmp_path), tmp_path / "leftovers"
    note = new_note(leftovers, HERE)
    note.write(str(folder))
    note.release()
    clean_leftovers(LocalTransport(), leftovers)
    assert not folder.exists()
    assert list(leftovers.iterdir()) == []


def test_a_living_sessions_folder_is_left_alone(tmp_path: Path) -> None:
    folder, leftovers = _ours(tmp_path), tmp_path / "leftovers"
    note = new_note(leftovers, HERE)
    note.write(str(folder))
    clean_leftovers(LocalTransport(), leftovers)
    assert folder.exists()
    note.forget()
    assert list(leftovers.iterdir()) == []


def test_another_devices_folder_is_left_to_it(tmp_path: Path) -> None:
    folder, leftovers = _ours(tmp_path), tmp_path / "leftovers"
    note = new_note(leftovers, parse_address("ssh:me@jetson"))
    note.write(str(folder))
    note.release()
    clean_leftovers(LocalTransport(), leftovers)
    assert folder.exists()
    assert len(list(leftovers.glob("*.json"))) == 1


def test_a_folder_that_cannot_be_removed_stays_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftovers = tmp_path / "leftovers"
    note = new_note(leftovers, HERE)
    note.write(str(_ours(tmp_path)))
    note.release()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rm").write_text("#!/bin/sh\necho 'rm: no' >&2\nexit 1\n")
    (programs / "rm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    clean_leftovers(LocalTransport(), leftovers)
    assert len(list(leftovers.glob("*.json"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        json.dumps({"address": "local"}),
        json.dumps({"address": "local", "folder": 3}),
        json.dumps({"address": "local", "folder": "VICTIM"}),
        json.dumps({"address": ["local"], "folder": "VICTIM"}),
        "[" * 100_000,
        json.dumps({"address": "local", "folder": "VICTIM/../VICTIM", "x": "y" * 10_000}),
    ],
)
def test_a_note_that_cannot_be_believed_removes_nothing(tmp_path: Path, text: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    leftovers = tmp_path / "leftovers"
    leftovers.mkdir()
    (leftovers / "0123.json").write_text(text.replace("VICTIM", str(victim)))
    clean_leftovers(LocalTransport(), leftovers)
    assert victim.is_dir()
