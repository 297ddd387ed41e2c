"""The real command, in a process of its own, with a store of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Shell:
    """A working folder and a store, and the command run in them."""

    folder: Path
    store: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "EDGESHRINK_CACHE": str(self.store), "COLUMNS": "120"}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "edgeshrink", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def warm_shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """One store that the tests of a session share; this machine is calibrated in it."""
    folder = tmp_path_factory.mktemp("shell")
    shell = Shell(folder, folder / "store")
    doctor = shell.run("doctor")
    assert doctor.returncode == 0, doctor.stderr
    return shell


@pytest.fixture
def shell(tmp_path: Path, warm_shell: Shell) -> Shell:
    """A store without results, on a machine that is calibrated already: that takes ten seconds."""
    shutil.copytree(warm_shell.store / "notes", tmp_path / "store" / "notes")
    return Shell(tmp_path, tmp_path / "store")


@pytest.fixture(scope="session")
def built_demo(warm_shell: Shell) -> subprocess.CompletedProcess[str]:
    """`edgeshrink build` as the README says it, once."""
    return warm_shell.run("build", "-o", "demo-out")
