"""Signals that ask to stop: what was begun is cleaned up, and the exit code says which it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from edgeshrink.commands.stopping import stopping

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows sends no such signals")

# A command that is told to stop `told` times, and at every one after the first is cleaning up.
_PROGRAM = """
import os, signal, sys, time
import click
from edgeshrink import cli
def work(*_):
    try:
        os.kill(os.getpid(), number)
        time.sleep(30)
    finally:
        for _ in range(told - 1):
            os.kill(os.getpid(), number)
        print("cleaned up", flush=True)
number, told = getattr(signal, sys.argv[1]), int(sys.argv[2])
cli._LazyGroup.get_command = lambda self, context, name: click.Command(name, callback=work)
cli.main([sys.argv[3]])
"""


def told(number: str, times: int, verb: str = "build") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROGRAM, number, str(times), verb]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_and_a_second_let_the_clean_up_end(number: str, code: int) -> None:
    done = told(number, 2)
    assert (done.returncode, done.stdout) == (code, "cleaned up\n")
    assert done.stderr.endswith("interrupted: run the same command again, and it goes on from the last finished step\n")
    assert "still cleaning up" in done.stderr


def test_the_third_ends_it_at_once() -> None:
    done = told("SIGTERM", 3)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")


def test_a_command_that_has_no_steps_only_says_that_it_was_interrupted() -> None:
    done = told("SIGTERM", 1, "doctor")
    assert (done.returncode, done.stderr.strip()) == (143, "interrupted")


def test_a_closed_terminal_leaves_the_exit_code_as_it_is() -> None:
    leader, follower = os.openpty()
    os.close(leader)
    command = [sys.executable, "-c", _PROGRAM, "SIGHUP", "1", "build"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower) as process:
        os.close(follower)
        assert process.wait(60) == 129


def test_an_ignored_signal_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
