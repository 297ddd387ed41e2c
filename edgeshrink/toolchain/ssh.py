"""OpenSSH's client: devices that are reached over a network. EDGESHRINK_SSH names it, with options ("ssh -F file")."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from shutil import which

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.interface import FoundTool

NAME = "OpenSSH client"
FIX = "Debian, Ubuntu: sudo apt install openssh-client; macOS and Windows bring it"


def find() -> FoundTool | None:
    """EDGESHRINK_SSH, or `ssh` on the PATH."""
    try:
        program = command()
        done = subprocess.run([program[0], "-V"], capture_output=True, text=True, timeout=10, check=False)
    except (ToolMissing, OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"OpenSSH\w*_(\d+\.\d+\w*)", done.stderr + done.stdout)
    return FoundTool(Path(program[0]), version[1] if version else "") if done.returncode == 0 else None


def command() -> tuple[str, ...]:
    """The program and its options. ToolMissing where there is none."""
    words = shlex.split(os.environ.get("EDGESHRINK_SSH", ""), posix=os.name == "posix") or ["ssh"]
    path = which(words[0])
    if path is None:
        raise ToolMissing(f"{words[0]} is not installed: a device behind ssh: needs it", hint=FIX)
    return (path, *words[1:])
