"""The Java compiler: an AAR's classes are made with it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgeshrink.core.plain import plain
from edgeshrink.errors import StepFailed, ToolMissing
from edgeshrink.toolchain.interface import FoundTool, first_that_answers

NAME = "javac"
FIX = (
    "Debian, Ubuntu: sudo apt install openjdk-17-jdk-headless; macOS: brew install openjdk; else set JAVA_HOME to a JDK"
)
_RELEASE = "8"  # what every Android toolchain reads
_SAID_LINES = 5


def find() -> FoundTool | None:
    """JAVA_HOME's, else `javac` on the PATH."""
    home = os.environ.get("JAVA_HOME", "")
    return first_that_answers((*((str(Path(home, "bin", "javac")),) if home else ()), "javac"), ("-version",))


def needed() -> FoundTool:
    """The compiler. ToolMissing where there is none."""
    found = find()
    if found is None:
        raise ToolMissing("there is no Java compiler (javac), and an AAR holds compiled classes", hint=FIX)
    return found


def version() -> str:
    """The compiler's version; "" where there is none. The classes' bytes depend on it."""
    found = find()
    return found.version if found else ""


def compile_java(sources: Sequence[Path], *, beside: Path, folder: Path) -> None:
    """Compile `sources` for Java 8 into the existing `folder`.

    What they refer to is looked up among the sources in `beside` and not compiled into `folder`. StepFailed has what
    the compiler said.
    """
    command = [str(needed().path), "--release", _RELEASE, "-proc:none", "-encoding", "UTF-8", "-Xlint:-options"]
    command += ["-implicit:none", "-sourcepath", str(beside), "-d", str(folder), *map(str, sources)]
    # In the C locale a JVM before 18 cannot so much as name a folder that is not ASCII.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if done.returncode != 0:
        said = [plain(line) for line in done.stderr.splitlines() if line.strip()]
        raise StepFailed(
            f"javac failed: {'; '.join(said[:_SAID_LINES]) or 'it said nothing'}",
            hint="JDK 17 is known to compile it; JAVA_HOME names the one to take",
        )
