"""Android's debug bridge: phones and tablets. EDGESHRINK_ADB names it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from shutil import which

from edgeshrink.errors import ToolMissing
from edgeshrink.toolchain.interface import FoundTool, version_in

NAME = "adb"
FIX = "Debian, Ubuntu: sudo apt install adb; macOS: brew install android-platform-tools; else Google's platform-tools"


def find() -> FoundTool | None:
    """EDGESHRINK_ADB, or `adb` on the PATH. No server is started for this."""
    try:
        program = command()
        done = subprocess.run([*program, "version"], capture_output=True, text=True, timeout=10, check=False)
    except (ToolMissing, OSError, subprocess.TimeoutExpired):
        return None
    # The first line has the protocol's version, the second the program's.
    version = re.search(r"^Version (\S+)", done.stdout, re.MULTILINE)
    found = version[1] if version else version_in(done.stdout)
    return FoundTool(Path(program[0]), found) if done.returncode == 0 else None


def command() -> tuple[str, ...]:
    """The program and its options. ToolMissing where there is none."""
    words = shlex.split(os.environ.get("EDGESHRINK_ADB", ""), posix=os.name == "posix") or ["adb"]
    path = which(words[0])
    if path is None:
        raise ToolMissing(f"{words[0]} is not installed: a device behind adb: needs it", hint=FIX)
    return (path, *words[1:])
