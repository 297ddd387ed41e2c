"""Reading what the system shows: small files, sysctl names. Nothing there is an empty text, never an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path("/")


def read_text(path: Path) -> str:
    """The stripped text of a small system file; "" where it is not there or may not be read."""
    try:
        # Device-tree strings end in a zero byte.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \t\n")
    except OSError:
        return ""


def read_int(path: Path) -> int | None:
    """The whole number in a small system file; None where there is none ("max", empty, unreadable)."""
    try:
        return int(read_text(path))
    except ValueError:
        return None


def sysctl(name: str) -> str:
    """The value that macOS's sysctl gives for `name`; "" where it knows none."""
    try:
        done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
