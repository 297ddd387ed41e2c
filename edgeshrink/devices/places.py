"""Where on a device files may lie for a while: on its storage, not in its RAM, and where programs may be run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeshrink.core.device import LinkKind
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.transports.shell import last_words
from edgeshrink.errors import DeviceError

ROOM = 1 << 30
"""A folder with so much space is taken in its turn; with less, the roomiest is."""

_RAM = ("tmpfs", "ramfs", "rootfs")
_CANDIDATES: dict[LinkKind, tuple[str, ...]] = {
    "adb": ("/data/local/tmp",),
    "ssh": ("HOME", "/var/tmp", "/tmp"),
    "local": ("HOME", "/var/tmp", "/tmp"),
}
_EACH = r"""
for base in "$@"; do
  [ "$base" = HOME ] && base=${HOME:-}
  case $base in /?*) ;; *) continue ;; esac
  cd "$base" 2>/dev/null || continue
"""
_SURVEY = (
    _EACH
    + r"""
  [ -w . ] || { echo "closed $base"; continue; }
  echo "place $(pwd -P)"
  [ -d ./edgeshrink-keep ] && echo kept
  df -Pk . 2>/dev/null || df -k . 2>/dev/null
done
echo mounts
cat /proc/mounts 2>/dev/null
exit 0
"""
)
# A folder's time is that of the last name made or removed in it. Where there is no `find`, all count as young. (+1 is
# more than a day to toybox, two days and more to GNU; +0 would be any moment at all to toybox.)
_OURS = (
    _EACH
    + r"""
  for name in edgeshrink-*; do
    [ -d "$name" ] && [ ! -L "$name" ] && [ -O "$name" ] || continue
    size=$(du -sk "$name" 2>/dev/null); age=young
    [ -n "$(find "$name" -prune -mtime +1 2>/dev/null)" ] && age=old
    echo "$age ${size%%[!0-9]*} $(pwd -P)/$name"
  done
done
exit 0
"""
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may be written to. `free_bytes` None where the device does not say."""

    path: str
    free_bytes: int | None
    in_ram: bool
    has_kept: bool = False


def find_places(transport: Transport, *, keep: bool) -> tuple[Place, ...]:
    """The folders to try, best first. DeviceError where there is none on storage."""
    candidates = _CANDIDATES[transport.address.kind]
    done = transport.run(("sh", "-c", _SURVEY, "sh", *candidates), timeout_s=30.0)
    if done.status:
        raise DeviceError(f"{transport.address}: no folder was found there: {last_words(done.stderr)}")
    found = read_survey(done.stdout)
    usable = [place for place in found if not place.in_ram]
    if not usable:
        ram = ", ".join(place.path for place in found)
        why = f"{ram} lies in its RAM, and would count as the model's" if ram else "none may be written to"
        raise DeviceError(
            f"{transport.address}: no folder for the runner and the model: {why}",
            hint=f"make one of them a folder on its storage: {', '.join(candidates)}".replace("HOME", "$HOME"),
        )
    ample = [place for place in usable if place.free_bytes is None or place.free_bytes >= ROOM]
    scant = sorted((place for place in usable if place not in ample), key=lambda place: -(place.free_bytes or 0))
    ranked = [*ample, *scant]
    return tuple(sorted(ranked, key=lambda place: not place.has_kept) if keep else ranked)


@dataclass(frozen=True, slots=True)
class Found:
    """A folder with a name of ours. `nbytes` None: the device does not say. `is_old`: nothing was made in it lately."""

    path: str
    nbytes: int | None
    is_old: bool


def find_ours(transport: Transport) -> tuple[Found, ...]:
    """What of ours lies in the folders where sessions work, each once."""
    candidates = _CANDIDATES[transport.address.kind]
    done = transport.run(("sh", "-c", _OURS, "sh", *candidates), timeout_s=120.0)
    found: dict[str, Found] = {}
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"(old|young) ([0-9]{0,15}) (/.+)", line):
            nbytes = int(match[2]) * 1024 if match[2] else None
            found.setdefault(match[3], Found(match[3], nbytes, match[1] == "old"))
    return tuple(found.values())


def read_survey(text: str) -> tuple[Place, ...]:
    """The places in the survey's output, in its order, each once."""
    survey, _, mounts = f"\n{text}".partition("\nmounts\n")
    found: dict[str, Place] = {}
    for part in survey.split("\nplace ")[1:]:
        path, _, said = part.partition("\n")
        if path.isprintable() and path.startswith("/"):
            kept = "kept" in said.splitlines()
            found.setdefault(path, Place(path, read_free(said), kind_of(path, mounts) in _RAM, kept))
    return tuple(found.values())


def read_free(text: str) -> int | None:
    """The bytes that `df -Pk` says are free; None where it says nothing readable."""
    for line in text.splitlines():
        # Filesystem 1024-blocks Used Available Capacity Mounted on
        match = re.fullmatch(r"\S.*?\s+\d{1,16}\s+\d{1,16}\s+(-?\d{1,16})\s+(?:\d+%|-)\s+.*/.*", line)
        if match:
            return max(0, int(match[1])) * 1024
    return None


def kind_of(path: str, mounts: str) -> str:
    """The kind of file system under `path`, by the text of /proc/mounts; "" where it does not say."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[1]).rstrip("/")
        # A later line lies over an earlier one at the same point.
        if (path == point or path.startswith(f"{point}/")) and len(point) >= best:
            best, kind = len(point), words[2]
    return kind
