"""The served model: one question a connection, streamed; whoever stalls, floods or leaves costs nobody their answer."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loaded_bundles import Python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

QUESTION = "What is 3 plus 4?"
SHORT = ("--max-tokens", "16", "--threads", "1")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A Unix socket's path has room for about 100 bytes."""
    path = tmp_path / "s"
    return path if len(str(path)) < 100 else Path("/tmp") / f"edgeshrink-{tmp_path.name[-20:]}"


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "n"))
        listener.settimeout(60)
        yield listener


@pytest.fixture
def served(
    demo_python: Python, place: Path, notify: socket.socket, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [
            demo_python.program,
            "-m",
            "edgeshrink_demo",
            "serve",
            "--socket",
            place,
            "--max-tokens",
            "16",
            "--threads",
            "1",
        ],
        env={**demo_python.environment(), "NOTIFY_SOCKET": str(tmp_path / "n")},
        stderr=subprocess.PIPE,
    )
    try:
        assert notify.recv(100) == b"READY=1"
        yield process
    finally:
        process.kill()
        process.communicate()


def put(place: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(str(place))
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_it_answers_one_question_after_the_other_and_leaves_cleanly(
    served: subprocess.Popen[bytes], demo_python: Python, place: Path, tmp_path: Path
) -> None:
    direct = demo_python.said("-m", "edgeshrink_demo", "answer", *SHORT, QUESTION, cwd=tmp_path)
    assert put(place, QUESTION.encode()).decode() + "\n" == direct
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as leaving:
        leaving.connect(str(place))
        leaving.sendall(b"half a quest")
    refused = {put(place, question)[:1] for question in (b"", b"\xff\xfe", b"word " * 2000)}
    assert refused == {b"\xff"}
    assert put(place, b"x" * ((1 << 20) + 1)).startswith(b"\xff")
    asked = demo_python.run("-m", "edgeshrink_demo", "ask", "--socket", place, QUESTION, cwd=tmp_path)
    assert (asked.returncode, asked.stdout) == (0, direct)
    asked = demo_python.run("-m", "edgeshrink_demo", "ask", "--socket", place, "word " * 2000, cwd=tmp_path)
    assert asked.returncode == 1
    assert "tokens, the context" in asked.stderr
    assert place.stat().st_mode & 0o777 == 0o660
    served.send_signal(signal.SIGTERM)
    assert served.wait(60) == 0
    assert served.stderr is not None
    assert served.stderr.read() == b""
    assert not place.exists()


def test_a_place_where_something_answers_is_not_taken_and_a_dead_one_is(
    served: subprocess.Popen[bytes], demo_python: Python, place: Path, tmp_path: Path
) -> None:
    second = demo_python.run("-m", "edgeshrink_demo", "serve", "--socket", place, cwd=tmp_path)
    assert second.returncode == 1
    assert "answers there already" in second.stderr
    served.kill()
    served.wait()
    assert place.exists()
    third = subprocess.Popen(
        [demo_python.program, "-m", "edgeshrink_demo", "serve", "--socket", place],
        env={**demo_python.environment(), "NOTIFY_SOCKET": str(tmp_path / "n2")},
    )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
            again.bind(str(tmp_path / "n2"))
            again.settimeout(60)
            assert again.recv(100) == b"READY=1"
        assert put(place, QUESTION.encode())
    finally:
        third.terminate()
        assert third.wait(60) == 0


def test_a_file_that_is_no_socket_stays(demo_python: Python, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = demo_python.run("-m", "edgeshrink_demo", "serve", "--socket", tmp_path / "file", cwd=tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_the_reason_of_a_server_that_read_no_question_is_said(demo_python: Python, place: Path) -> None:
    """It closes with bytes unread, and the connection is reset."""
    asking = "import pathlib, sys; from edgeshrink_demo import serving; [*serving.ask(pathlib.Path(sys.argv[1]), 'Hi')]"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        server.settimeout(60)
        asked = subprocess.Popen(
            [demo_python.program, "-c", asking, place], env=demo_python.environment(), stderr=subprocess.PIPE, text=True
        )
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            assert connection.recv(2, socket.MSG_PEEK | socket.MSG_WAITALL) == b"Hi"
            connection.sendall(b"\xffthe service is stopping\n")
    assert asked.communicate(timeout=60)[1].splitlines()[-1].endswith("BundleError: the service is stopping")


def test_a_socket_that_systemd_passes_is_served(
    demo_python: Python, place: Path, notify: socket.socket, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as passed:
        passed.bind(str(place))
        passed.listen()
        code = (
            "import os, runpy, sys\n"
            f"os.dup2({passed.fileno()}, 3)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            "sys.argv = ['x', 'serve', '--max-tokens', '4', '--threads', '1']\n"
            "runpy.run_module('edgeshrink_demo', run_name='__main__', alter_sys=True)\n"
        )
        process = subprocess.Popen(
            [demo_python.program, "-c", code],
            env={**demo_python.environment(), "NOTIFY_SOCKET": str(tmp_path / "n")},
            pass_fds=(passed.fileno(),),
        )
        try:
            assert notify.recv(100) == b"READY=1"
            assert put(place, QUESTION.encode())
        finally:
            process.terminate()
            assert process.wait(60) == 0
    assert place.exists()  # it is the one who passed it who removes it
    place.unlink()


def test_a_stream_ends_where_another_answer_begins(demo_python: Python, tmp_path: Path) -> None:
    code = (
        "from edgeshrink_demo import load\n"
        "with load(threads=1) as model:\n"
        "    whole = ''.join(model.stream('Tell me a story.', max_tokens=12))\n"
        "    first = model.stream('Tell me a story.', max_tokens=12)\n"
        "    next(first)\n"
        "    assert model.answer('Tell me a story.', max_tokens=12) == whole\n"
        "    try: next(first)\n"
        "    except RuntimeError as error: print(error)\n"
        "    try: model.run({})\n"
        "    except TypeError as error: print(error)\n"
        "    warm = [model.answer('Tell me a story.', 12, 2.0, seed) for seed in (1, 1, 2, 3)]\n"
        "    assert warm[0] == warm[1] and len(set(warm)) > 1, warm\n"
        "    try: model.answer('x' * 5000)\n"
        "    except ValueError as error: print(error)\n"
        "    assert model.fallback is None and model.about.name == 'demo'\n"
    )
    said = demo_python.said("-c", code, cwd=tmp_path)
    assert "another answer was begun" in said
    assert "is no network" in said
    assert "tokens, the context" in said
