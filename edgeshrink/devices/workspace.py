"""A folder of ours on a device for the length of a session: files go in, programs run in it, and nothing stays.

The folder's name is random, so that sessions side by side do not meet. Under --keep the files that were brought lie
in a folder that stays, by their sha256, until no session used them for a week; all else is as without.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Unpack

from edgeshrink.core.events import Listener, Progress, notice, silent
from edgeshrink.devices.leftovers import Note, clean_leftovers, new_note
from edgeshrink.devices.places import find_places, read_free
from edgeshrink.devices.removal import KEPT, end_process, new_name, remove
from edgeshrink.devices.transports.interface import Done, RunOptions, Transport
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.errors import DeviceError, DeviceLost, Error, NoSpace

WAIT_S = 20.0
"""How long a link that broke is waited for at the end, before what is left is only remembered."""

_LATE_S = 1.0
_MARGIN = 1 << 20
_HASHED_BYTES_S = 4 << 20
_NOT_MADE, _FULL, _NOEXEC = 3, 4, 5
_DAMAGED, _UNHASHED = 6, 9

_MAKE = rf"""
umask 077
mkdir -m 700 "$1" || exit {_NOT_MADE}
cd "$1" || exit {_NOT_MADE}
shell=/bin/sh; [ -x $shell ] || shell=/system/bin/sh
printf '#!%s\nexit 0\n' $shell > try && chmod 700 try || exit {_FULL}
./try || exit {_NOEXEC}
rm -f try
"""
_KEEP = r"""
umask 077
mkdir -m 700 "$1" 2>/dev/null
[ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && chmod 700 "$1" || exit 1
cd "$1" && find . -type f -name '*-*' -mtime +7 -exec rm -f {} ';' 2>/dev/null
exit 0
"""
# GNU's find counts whole days (so 8 and up), toybox' seconds. Where there is no find, kept files stay until `--clean`.
_HASH = rf"""
sum_of() {{
  for tool in sha256sum 'toybox sha256sum' 'busybox sha256sum' 'shasum -a 256' 'openssl dgst -sha256 -r'; do
    sum=$($tool < "$1" 2>/dev/null) && [ -n "$sum" ] && {{ echo "${{sum%% *}}"; return 0; }}
  done
  return {_UNHASHED}
}}
"""
_LOOK = (
    _HASH
    + r"""
df -Pk "$1" 2>/dev/null || df -k "$1" 2>/dev/null
[ -f "$2" ] && [ ! -L "$2" ] && touch "$2" && echo "sha256 $(sum_of "$2")"
exit 0
"""
)
_SETTLE = (
    _HASH
    + rf"""
sum=$(sum_of "$1") || exit $?
[ "$sum" = "$3" ] || {{ rm -f "$1"; exit {_DAMAGED}; }}
touch "$1"; chmod "$4" "$1" && mv -f "$1" "$2"
"""
)
_RUN = r"""
cd "$1" || exit 125
echo $$ > "$2" 2>/dev/null
shift 2
exec "$@"
"""


class Workspace:
    """`folder`: the absolute path there. Made by `open_workspace`; programs may run in it from several threads.

    `left_behind`, after its end: a sentence on what could not be removed, "" where nothing of ours is left.
    """

    def __init__(self, transport: Transport, note: Note, *, keep: bool) -> None:
        self._transport = transport
        self._note: Note | None = note
        self._keep = keep
        self._count = itertools.count(1)
        self._files = ""
        self._making = False
        self.folder = ""
        self.left_behind = ""

    def make(self) -> None:
        """The folder, in the best place that takes it. NoSpace, DeviceError where none does."""
        assert self._note is not None
        refusals: dict[str, int] = {}
        for place in find_places(self._transport, keep=self._keep):
            self.folder = f"{place.path.rstrip('/')}/{new_name()}"
            self._note.write(self.folder)
            self._making = True
            made = self._transport.run(("sh", "-c", _MAKE, "sh", self.folder))
            self._making = False
            if made.status == 0:
                self._files = self._kept_folder(place.path) if self._keep else self.folder
                return
            refusals[f"{place.path}: {_why(made)}"] = made.status
            remove(self._transport, self.folder)
        said = f"{self._transport.address}: no folder for the runner and the model: {'; '.join(refusals)}"
        if _FULL in refusals.values():
            raise NoSpace(said, hint="free some space on the device")
        raise DeviceError(said, hint="programs must be allowed to run in one of these folders")

    def put(
        self, source: Path, *, sha256: str, name: str, executable: bool = False, listener: Listener = silent
    ) -> str:
        """The path there of a file with this content, copied unless it is there, and checked by its sha256 there.

        NoSpace where it does not fit; DeviceError where it arrives damaged; DeviceLost.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise DeviceError(f"{name!r} cannot be a file's name on a device")
        size = source.stat().st_size
        target = f"{self._files}/{sha256}-{name}" if self._keep else f"{self._files}/{name}"
        task = f"copying {name} to {self._transport.address}"
        hashing_s = 60.0 + size / _HASHED_BYTES_S
        look = self._transport.run(("sh", "-c", _LOOK, "sh", self._files, target), timeout_s=hashing_s)
        if f"sha256 {sha256}" in look.stdout.splitlines():
            return target
        free = read_free(look.stdout)
        if free is not None and free < size + _MARGIN:
            raise NoSpace(
                f"{self._transport.address}: {name} has {_mib(size)}, {self._files} has room for {_mib(free)}, "
                f"of which {_mib(_MARGIN)} must stay free",
                hint="free some space on the device",
            )
        part = f"{self.folder}/{name}.part"
        listener(Progress(task, 0, size, "bytes"))
        try:
            self._transport.push(source, part)
            mode = "700" if executable else "600"
            settle = ("sh", "-c", _SETTLE, "sh", part, target, sha256, mode)
            settled = self._transport.run(settle, timeout_s=hashing_s)
        except NoSpace:
            self._transport.run(("rm", "-f", part))
            raise
        if settled.status:
            raise DeviceError(
                f"{self._transport.address}: {name}: {_why(settled)}", hint=_HINTS.get(settled.status, "")
            )
        listener(Progress(task, size, size, "bytes"))
        return target

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Done:
        """`Transport.run` in the folder. Where an exception ends it, the program there is ended as well.

        After DeviceLost that is left to the end of the session: the link may be gone.
        """
        note = f"pid.{next(self._count)}"
        try:
            return self._transport.run(("sh", "-c", _RUN, "sh", self.folder, note, *argv), **options)
        except DeviceLost:
            raise
        except BaseException:
            with contextlib.suppress(Error):  # the end of the session sees to it
                end_process(self._transport, self.folder, note)
            raise

    def discard(self) -> None:
        """End what runs there and remove the folder; may be called twice. Never raises for a link that is down.

        A link that broke is waited for; what cannot be removed then is at the next session with this device, and
        `left_behind` says so.
        """
        note, self._note = self._note, None
        if note is None:
            return
        gone = False
        try:
            if self._making:
                # Its script may be starting there only now; should it be later still, the next session removes it.
                time.sleep(_LATE_S)
            if self.folder:
                self._remove()
            gone = not self._making
        except Error as error:
            self.left_behind = _left_behind(self._transport, self.folder, error)
        finally:
            note.forget() if gone else note.release()

    def _remove(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                remove(self._transport, self.folder)
                return
            except DeviceLost:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)

    def _kept_folder(self, place: str) -> str:
        folder = f"{place.rstrip('/')}/{KEPT}"
        made = self._transport.run(("sh", "-c", _KEEP, "sh", folder))
        if made.status:
            raise DeviceError(
                f"{self._transport.address}: {folder} is not a folder of this account's own",
                hint="remove it, or leave --keep away",
            )
        return folder


@contextmanager
def open_workspace(
    transport: Transport, *, keep: bool, leftovers: Path, listener: Listener = silent
) -> Iterator[Workspace]:
    """A folder of ours on the device; afterwards, however this ends, neither it nor a process in it is left.

    What earlier sessions had to leave on the device is cleaned first. `leftovers`: the folder here that remembers it.
    What cannot be removed the `listener` gets as a notice, and `Workspace.left_behind` has it.
    """
    for stays in clean_leftovers(transport, leftovers):
        listener(notice(stays))
    workspace = Workspace(transport, new_note(leftovers, transport.address), keep=keep)
    try:
        workspace.make()
        yield workspace
    finally:
        workspace.discard()
        if workspace.left_behind:
            listener(notice(workspace.left_behind))


_WHY = {
    _FULL: "it is full",
    _NOEXEC: "programs may not run there (noexec)",
    _DAMAGED: "it arrived damaged",
    _UNHASHED: "there is no program for sha256 on the device",
}
_HINTS = {
    _DAMAGED: "try again; if it stays so, cable or storage is bad",
    _UNHASHED: "install coreutils or busybox on it",
}


def _left_behind(transport: Transport, folder: str, error: Error) -> str:
    # What `remove` says names address and folder; a link that broke does not.
    named = folder in error.message
    what = error.message if named else f"{transport.address}: {folder} could not be removed: {error.message}"
    return f"{what}; the next session with this device tries again"


def _why(done: Done) -> str:
    return _WHY.get(done.status) or last_words(done.stderr)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
