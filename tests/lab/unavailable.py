"""Why a test device cannot be had on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import NoReturn

import pytest


class Unavailable(Exception):
    """This machine lacks something that the lab needs; the message says what. Tests skip with it."""


def skip(why: str) -> NoReturn:
    """Skip the test with the reason, or fail it where EDGESHRINK_LAB_REQUIRED says that this machine has it all."""
    if os.environ.get("EDGESHRINK_LAB_REQUIRED"):
        pytest.fail(f"EDGESHRINK_LAB_REQUIRED is set, but {why}", pytrace=False)
    pytest.skip(why)


def need_root() -> None:
    """The lab mounts overlays over loop devices and maps 65536 ids: both are root's to do."""
    if os.geteuid() != 0:
        raise Unavailable("the lab's devices need root (overlay and loop mounts, a range of user ids)")


def need_programs(programs: Iterable[str], packages: str) -> None:
    missing = [name for name in programs if shutil.which(name, path=search_path()) is None]
    if missing:
        raise Unavailable(f"{', '.join(missing)} not installed (Debian: {packages})")


def search_path() -> str:
    """Where programs are looked for: an ordinary PATH lacks the folders of sshd and mke2fs."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def last_line(log: str) -> str:
    """What a program said at last: of a traceback, the error."""
    return (log.strip().splitlines() or ["it said nothing"])[-1][:300]
