"""The local folders of shared ssh connections: those of processes that were killed do not stay."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edgeshrink.devices.transports.control_folder import new_folder, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no connection is shared there")


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as ended:
        pass
    return ended.pid


def test_empty_folders_and_dead_sockets_of_dead_processes_go(tmp_path: Path, gone: int) -> None:
    (tmp_path / f"es-{gone}-aaaaaaaa").mkdir()
    dead = tmp_path / f"es-{gone}-bbbbbbbb"
    dead.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(dead / "s"))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_lives_or_is_another_s_stays(tmp_path: Path, gone: int) -> None:
    names = (f"es-{os.getpid()}-aaaaaaaa", f"es-{gone}-file_in_", f"es-{gone}-listened", "es-12345678", f"es-{gone}-x")
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / names[1] / "note").write_text("mine")
    (tmp_path / f"es-{gone}-linkedto").symlink_to(tmp_path / names[3])
    before = sorted(tmp_path.iterdir())
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / names[2] / "s"))
        server.listen()
        sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_new_folder_is_named_after_its_process_and_private() -> None:
    folder = new_folder()
    try:
        assert folder.name.startswith(f"es-{os.getpid()}-")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / "s")) <= 70
    finally:
        folder.rmdir()
