"""This test run's own Python on a device that shares this machine's file tree."""

from __future__ import annotations

import site
import stat
import sys
from pathlib import Path

from lab.device import LabDevice

_PASS = stat.S_IXGRP | stat.S_IXOTH


def open_python(device: LabDevice) -> str:
    """Its path there. Folders on the way that only root may enter are opened, on the device alone."""
    for place in (Path(sys.executable), Path(sys.executable).resolve(), *map(Path, site.getsitepackages())):
        for folder in place.parents:
            there = device.root / folder.relative_to("/")
            mode = stat.S_IMODE(there.stat().st_mode)
            if mode & _PASS != _PASS:
                there.chmod(mode | _PASS)
    return sys.executable
