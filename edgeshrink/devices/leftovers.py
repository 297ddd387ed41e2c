"""What may still lie on a device, remembered here until it is known to be gone.

A note is written before its folder is made and deleted after it is removed, so that even a session that was killed is
cleaned up after: by the next that opens the same device. While its session lives, a note is locked.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from edgeshrink.core.device import Address
from edgeshrink.devices.removal import is_ours, remove
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.errors import NO_SPACE, DeviceError, DeviceLost, NoSpace

_LARGEST_BYTES = 4096


class Note:
    """That `address` may hold a folder of ours. Its lock is held from when it is made until `forget` or `release`."""

    def __init__(self, path: Path, address: Address) -> None:
        self._path = path
        self._address = address
        # The session may end in another thread than it began in.
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
        self._lock.acquire()

    def write(self, folder: str) -> None:
        """Replaced whole: a reader sees the old note or the new one. NoSpace where it does not fit this machine."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"address": str(self._address), "folder": folder, "since": since})
        try:
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".note-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(self._path)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise NoSpace(f"{self._path.parent}: {error.strerror}", hint="free some space there") from error
            raise

    def folder(self) -> str:
        """The noted folder; "" where the note is of another device, was not finished or cannot be believed."""
        return _noted_folder(self._path, self._address)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
        self.release()
        self._path.with_suffix(".lock").unlink(missing_ok=True)

    def release(self) -> None:
        """The note stays for the next session."""
        self._lock.release()


def _noted_folder(path: Path, address: Address) -> str:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if path.stat().st_size <= _LARGEST_BYTES:
            said = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(said, dict) and said.get("address") == str(address):
                folder = said.get("folder")
                return folder if isinstance(folder, str) and is_ours(folder) else ""
    return ""


def new_note(leftovers: Path, address: Address) -> Note:
    """A note of a session that begins; nothing stands in it yet."""
    leftovers.mkdir(parents=True, exist_ok=True)
    return Note(leftovers / f"{secrets.token_hex(8)}.json", address)


def in_use(leftovers: Path, address: Address) -> bool:
    """Is a session of this computer with that device running?"""
    for path in leftovers.glob("*.json"):
        try:
            Note(path, address).release()
        except Timeout:
            if _noted_folder(path, address):
                return True
    return False


def clean_leftovers(transport: Transport, leftovers: Path) -> tuple[str, ...]:
    """Remove what ended sessions left on this device; a sentence for each that stays. DeviceLost with the link."""
    stays = []
    for note in _abandoned(leftovers, transport.address):
        try:
            remove(transport, note.folder())
        except DeviceLost:
            raise
        except DeviceError as error:
            stays.append(error.message)  # the note stays as well
            continue
        note.forget()
    return tuple(stays)


def _abandoned(leftovers: Path, address: Address) -> Iterator[Note]:
    """The believable notes of the device whose sessions are gone, each locked while it is looked at."""
    for path in sorted(leftovers.glob("*.json")):
        try:
            note = Note(path, address)
        except Timeout:
            continue
        try:
            if note.folder():
                yield note
        finally:
            note.release()
