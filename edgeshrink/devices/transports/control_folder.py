"""The local folder that ssh's shared connection has its socket in; those of processes that were killed are removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import sys
import tempfile
from pathlib import Path

_SOCKET_ROOM = 70  # a socket's path may have about 104 bytes, and ssh adds 17 of its own while it makes one
_LONGEST = "/es-4194304-12345678/s"
_NAME = re.compile(r"es-(\d{1,10})-[A-Za-z0-9_]{8}")


def new_folder() -> Path:
    """An empty folder of this process's own, which removes it; what dead ones left beside it is swept first."""
    short = sys.platform != "win32" and len(tempfile.gettempdir()) + len(_LONGEST) > _SOCKET_ROOM
    place = Path("/tmp" if short else tempfile.gettempdir())
    sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"es-{os.getpid()}-", dir=place))


def sweep(place: Path) -> None:
    """Remove this user's folders whose process is gone, unless something else than dead sockets lies in them."""
    if sys.platform == "win32":
        return  # no connection is shared there; and `os.kill` ends a process, whatever the signal
    for folder in place.glob("es-*-*"):
        match = _NAME.fullmatch(folder.name)
        with contextlib.suppress(OSError):  # its owner, or another sweep, was faster
            if match and _is_own(folder) and _gone(int(match[1])) and all(map(_dead_socket, folder.iterdir())):
                shutil.rmtree(folder)


def _is_own(folder: Path) -> bool:
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()


def _gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _dead_socket(path: Path) -> bool:
    """Nobody listens: in a container a living process may have a number that is not known here."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
