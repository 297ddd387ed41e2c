"""`serve` at the socket that systemd hands over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from asking import LEAVES_S, QUESTION, Chat, notified
from native_runner import LONGEST_S


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "s"


# As systemd does: the socket is descriptor 3, and the process knows that it is meant.
_HAND_OVER = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(5)
if listening.fileno() != 3:
    os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_PID"] = str(os.getpid()) if sys.argv[2] == "mine" else "1"
os.environ["LISTEN_FDS"] = sys.argv[3]
os.execv(sys.argv[4], sys.argv[4:])
"""


def handed_over(chat: Chat, place: Path, whose: str, count: str) -> list[str]:
    return [sys.executable, "-c", _HAND_OVER, str(place), whose, count, *chat.runner.command("serve", *chat.options())]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_a_socket_from_systemd_is_served_and_stays(chat: Chat, place: Path, tmp_path: Path) -> None:
    with notified(tmp_path / "notify", abstract=True) as (heard, address):
        process = subprocess.Popen(handed_over(chat, place, "mine", "1"), env={"NOTIFY_SOCKET": address})
        try:
            assert heard.recv(100) == b"READY=1"
            assert chat.ask(place, QUESTION).stdout == chat.answer("--prompt", QUESTION).stdout
            process.terminate()
            assert process.wait(LEAVES_S) == 0
            assert heard.recv(100) == b"STOPPING=1"
            assert place.is_socket()
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("whose", "count", "code", "words"),
    [("mine", "2", 1, "LISTEN_FDS is 2"), ("another's", "1", 2, "serve wants --socket")],
)
def test_a_socket_that_is_not_meant_is_not_taken(
    chat: Chat, place: Path, whose: str, count: str, code: int, words: str
) -> None:
    done = subprocess.run(
        handed_over(chat, place, whose, count), capture_output=True, env={}, timeout=LONGEST_S, check=False
    )
    assert done.returncode == code
    assert words in done.stderr.decode()
