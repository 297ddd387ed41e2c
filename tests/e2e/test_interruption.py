"""A build may be killed or interrupted at any moment; the next one goes on from the last finished step."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from shell import Shell


def wait_for_steps(shell: Shell, count: int) -> None:
    """Until the store holds `count` whole results."""
    for _ in range(2400):
        if len(list(shell.store.glob("steps/*/step.json"))) >= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"the build never finished {count} steps")


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("finished", [1, 3])
def test_a_killed_build_goes_on_from_the_last_finished_step(shell: Shell, stories: Path, finished: int) -> None:
    with shell.start("build", stories, "--scheme", "Q4_0", "--imatrix", "none", "-o", "out") as build:
        wait_for_steps(shell, finished)
        build.kill()
        build.communicate()
    assert not (shell.folder / "out").exists()
    assert shell.run("build", stories, "--scheme", "Q4_0", "--imatrix", "none", "-o", "out").returncode in (0, 1)
    decisions = json.loads(shell.run("cache", "why", "--json").stdout)
    assert sum(decision["reused"] for decision in decisions) >= finished


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise on Windows")
def test_ctrl_c_ends_in_one_sentence_and_leaves_no_process(shell: Shell, stories: Path) -> None:
    with shell.start("build", stories, "--scheme", "Q4_0", "--imatrix", "none", "-o", "out") as build:
        wait_for_steps(shell, 1)
        children = psutil.Process(build.pid).children(recursive=True)
        build.send_signal(signal.SIGINT)
        _, err = build.communicate(timeout=30)
    assert build.returncode == 130
    assert "goes on from the last finished step" in err
    assert "Traceback" not in err
    assert not (shell.folder / "out").exists()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list((shell.store / "work").iterdir()) == []


def test_two_builds_at_once_share_the_store_and_agree(shell: Shell, stories: Path) -> None:
    arguments = ("build", stories, "--scheme", "Q4_0", "--imatrix", "none", "--target", "jetson")
    with shell.start(*arguments, "-o", "one") as one, shell.start(*arguments, "-o", "two") as two:
        errors = [build.communicate(timeout=300)[1] for build in (one, two)]
    # At this scheme so small a model misses the quality floor, on both sides.
    assert (one.returncode, two.returncode) == (1, 1), errors
    first, second = (
        {path.name: path.read_bytes() for path in (shell.folder / name).iterdir()} for name in ("one", "two")
    )
    assert first == second
