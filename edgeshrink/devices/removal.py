"""Taking our own off a device: the processes that work in a folder of ours, then the folder. Nothing else, ever."""

from __future__ import annotations

import posixpath
import re
import secrets

from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.errors import DeviceError

PREFIX = "edgeshrink-"
KEPT = "edgeshrink-keep"
"""The folder for files that stay, by --keep."""

_NAME = re.compile(PREFIX + r"[0-9a-f]{16}")
_TIMEOUT_S = 20.0

_REMOVE = r"""
folder=$1 only=$2
ids() {
  if [ -n "$only" ] || [ ! -d /proc/self ]; then cat "$folder"/${only:-pid.*} 2>/dev/null
  else for entry in /proc/[0-9]*; do echo "${entry#/proc/}"; done; fi
}
ours() {
  case $1 in ''|*[!0-9]*) return 1 ;; esac
  if [ -d /proc/self ]; then [ "/proc/$1/cwd" -ef "$folder" ]
  else case $(lsof -a -p "$1" -d cwd -Fn 2>/dev/null) in *"n$folder"*) ;; *) return 1 ;; esac; fi
}
strike() {
  found=1
  for id in $(ids); do ours "$id" && kill -"$1" "$id" 2>/dev/null && found=0; done
  return $found
}
rest() { sleep 0.2 2>/dev/null || sleep 1; }
[ -d "$folder" ] || exit 0
if strike TERM; then
  n=0
  while rest; n=$((n + 1)); [ $n -lt 5 ] && strike 0; do :; done
  strike KILL && rest
fi
[ -n "$only" ] && exit 0
rm -rf -- "$folder" || { rest; rm -rf -- "$folder"; }
[ ! -e "$folder" ]
"""
# A process is ours when it works in a folder whose name nobody else knows: an id that was given anew is never struck.
# Linux shows that for every process; on macOS lsof is asked about the ids that were noted.


def new_name() -> str:
    return PREFIX + secrets.token_hex(8)


def is_ours(folder: str) -> bool:
    """Only a folder of such a name, written out plainly, is ever removed; and, when asked for, one of kept files."""
    return _is_plain(folder) and _NAME.fullmatch(posixpath.basename(folder)) is not None


def is_kept(folder: str) -> bool:
    return _is_plain(folder) and posixpath.basename(folder) == KEPT


def _is_plain(folder: str) -> bool:
    parent = posixpath.dirname(folder)
    absolute = parent.startswith("/") and not parent.startswith("//")
    return folder.isprintable() and absolute and posixpath.normpath(folder) == folder


def remove(transport: Transport, folder: str) -> None:
    """End what works in `folder` and remove it. DeviceError where something stays, DeviceLost with the link."""
    _checked(folder)
    _remove(transport, folder)


def remove_kept(transport: Transport, folder: str) -> None:
    """The same of a folder of kept files."""
    if not is_kept(folder):
        raise DeviceError(f"{folder!r} is no folder of edgeshrink's: it is left alone")
    _remove(transport, folder)


def _remove(transport: Transport, folder: str) -> None:
    done = transport.run(("sh", "-c", _REMOVE, "sh", folder, ""), timeout_s=_TIMEOUT_S)
    if done.status:
        raise DeviceError(
            f"{transport.address}: {folder} could not be removed: {last_words(done.stderr)}",
            hint="remove it by hand; it holds nothing but edgeshrink's own files",
        )


def end_process(transport: Transport, folder: str, note: str) -> None:
    """End the process whose id stands in the file `note` of `folder`, provided that it works there."""
    _checked(folder)
    transport.run(("sh", "-c", _REMOVE, "sh", folder, note), timeout_s=_TIMEOUT_S)


def _checked(folder: str) -> None:
    if not is_ours(folder):
        raise DeviceError(f"{folder!r} is no folder of edgeshrink's: it is left alone")
