"""A local client: bounded, timed, and gone with its children, its pipes and its threads."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edgeshrink.devices.transports import lines as lines_module
from edgeshrink.devices.transports.lines import Lines
from edgeshrink.devices.transports.process import Client, run_program
from edgeshrink.errors import DeviceError, DeviceLost

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a POSIX system")


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    descriptors, threads = psutil.Process().num_fds(), threading.active_count()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    assert threading.active_count() == threads
    assert psutil.Process().num_fds() == descriptors
    assert {child.pid for child in psutil.Process().children(recursive=True)} == children


def _gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_children_of_a_program_end_with_it_even_where_they_ignore_the_polite_signal() -> None:
    ids: list[bytes] = []

    def stop(chunk: bytes) -> None:
        ids.append(chunk)
        if b"".join(ids).count(b"\n") == 2:
            raise ZeroDivisionError

    script = "trap '' TERM; (trap '' TERM; echo inner; sleep 1000) & echo $!; wait"
    with pytest.raises(ZeroDivisionError):
        run_program(("sh", "-c", script), where="here", sink=stop)
    child = next(int(word) for word in b"".join(ids).split() if word.isdigit())
    assert _gone(child)


def test_a_child_that_holds_the_pipes_of_an_ended_program_is_not_waited_for() -> None:
    ended = run_program(("sh", "-c", "sleep 1000 & echo $!"), where="here", timeout_s=30)
    assert ended.status == 0
    assert _gone(int(ended.stdout))


def test_a_file_is_given_as_stdin() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"x" * 200_000)
        file.seek(0)
        assert run_program(("wc", "-c"), where="here", stdin=file).stdout.strip() == b"200000"


def test_stdin_that_is_given_and_held_stays_open() -> None:
    with pytest.raises(DeviceLost, match="silent"):
        run_program(("cat",), where="here", stdin=b"first\n", hold_stdin=True, silence_s=0.4)


def test_a_program_that_is_not_there_is_the_callers_to_explain() -> None:
    with pytest.raises(FileNotFoundError):
        run_program(("/no/such/program",), where="here")


def test_a_watch_that_raises_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeshrink.devices.transports.process._WATCH_S", 0.0)

    def watch() -> None:
        raise DeviceLost("no pulse")

    with pytest.raises(DeviceLost, match="no pulse"):
        run_program(("sleep", "1000"), where="here", watch=watch)


def test_a_program_that_closed_its_streams_is_waited_for() -> None:
    assert run_program(("sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 9"), where="here").status == 9


def test_what_is_not_listened_to_does_not_hinder_the_end() -> None:
    with Client(("yes",)) as client:
        assert client.listen(10) is not None
        assert client.running()


def test_the_environment_is_the_given_one() -> None:
    ended = run_program(("env",), where="here", env={"PATH": os.environ["PATH"], "ONLY": "this"})
    assert b"ONLY=this" in ended.stdout
    assert b"HOME=" not in ended.stdout


def test_lines_are_whole_wherever_the_chunks_are_cut() -> None:
    heard: list[str] = []
    sink = Lines(heard.append, "here")
    for chunk in (b"a", b"b\n\nz\xc3", b"\xbc", b"\n", b"e", b"nd"):
        sink(chunk)
    sink.end()
    sink.end()
    assert heard == ["ab", "", "zü", "end"]


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "LINE_LIMIT", 10)
    sink = Lines(lambda _: None, "here")
    sink(b"123456")
    with pytest.raises(DeviceError, match="a line of more than 10 bytes"):
        sink(b"78901")


def test_an_interrupt_while_the_program_starts_leaves_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = tmp_path / "started"
    join = threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "client start" and not started.exists():
            started.touch()
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_program(("sleep", "1000"), where="here")
