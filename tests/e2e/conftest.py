"""The real command, in a process of its own, with a store of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from shell import Shell


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
