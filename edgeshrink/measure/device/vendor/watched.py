"""Run a vendor's program and look at its memory from outside, in /proc, while it runs.

A loop of the device's shell beside it reads /proc/PID/status: no program of ours is needed there. VmHWM only grows, so
the last look is a lower bound of the peak: what was taken since is not in it. What the program prints goes to a file
of a bounded size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeshrink.core.measurement import MemorySample
from edgeshrink.devices.workspace import Workspace

LOOK_EVERY_S = 0.2
_SAID = "said.txt"
_SAID_BLOCKS = 131_072
"""Of 512 bytes, as `ulimit -f` counts: 64 MiB."""
_TAIL_BYTES = 1 << 20
_MOST_LOOKS = 100_000
_SILENCE_S = 120.0

_WATCH = rf"""
said=$1; shift
ulimit -f {_SAID_BLOCKS} 2>/dev/null
"$@" >"$said" 2>&1 </dev/null &
pid=$!
trap 'kill "$pid" 2>/dev/null' EXIT
trap 'exit 129' HUP INT TERM PIPE
look() {{
  hwm=- rss=- anon=- file=- shmem=- state=
  while read -r key value rest; do
    case $key in
      State:) state=$value ;;
      VmHWM:) hwm=$value ;; VmRSS:) rss=$value ;;
      RssAnon:) anon=$value ;; RssFile:) file=$value ;; RssShmem:) shmem=$value ;;
    esac
  done <"/proc/$pid/status"
  up=-
  read -r up rest </proc/uptime
  [ "$state" = Z ] || echo "$up $hwm $rss $anon $file $shmem"
}}
while kill -0 "$pid" 2>/dev/null; do
  look 2>/dev/null
  [ "$state" = Z ] && break
  sleep {LOOK_EVERY_S} 2>/dev/null || sleep 1
done
wait "$pid"
status=$?
trap - EXIT
exit $status
"""
_COUNT = r"(\d{1,12}|-)"
_LOOK = re.compile(rf"(\d{{1,10}}(?:\.\d{{1,9}})?|-) {_COUNT} {_COUNT} {_COUNT} {_COUNT} {_COUNT}")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the process, bytes; None: not shown. `at_s` is on the device's clock since boot."""

    at_s: float | None
    hwm: int | None
    rss: int | None
    anon: int | None
    file: int | None

    @classmethod
    def read(cls, line: str) -> Look | None:
        match = _LOOK.fullmatch(line.strip())
        if match is None:
            return None
        hwm, rss, anon, file, shmem = (None if text == "-" else int(text) << 10 for text in match.groups()[1:])
        at_s = None if match[1] == "-" else float(match[1])
        return cls(at_s, hwm, rss, anon if anon is None else anon + (shmem or 0), file)


@dataclass(frozen=True, slots=True)
class Watched:
    """How it ended; `said` is the end of what it printed, both streams in the order they came."""

    status: int
    said: str
    looks: tuple[Look, ...]

    @property
    def peak_rss(self) -> int | None:
        return max((look.hwm or look.rss or 0 for look in self.looks), default=0) or None

    def timeline(self) -> list[MemorySample]:
        began = next((look.at_s for look in self.looks if look.at_s is not None), 0.0)
        return [
            MemorySample(look.at_s - began, "run", look.anon, look.file)
            for look in self.looks
            if look.at_s is not None and look.anon is not None and look.file is not None
        ]


def run_watched(workspace: Workspace, argv: tuple[str, ...], *, timeout_s: float) -> Watched:
    """Run `argv` there to its end. DeviceLost, DeviceError."""
    looks: list[Look] = []

    def look(line: str) -> None:
        seen = Look.read(line)
        if seen is not None and len(looks) < _MOST_LOOKS:
            looks.append(seen)

    done = workspace.run(
        ("sh", "-c", _WATCH, "sh", _SAID, *argv),
        timeout_s=timeout_s,
        silence_s=_SILENCE_S,
        on_line=look,
        limit_bytes=_MOST_LOOKS * 128,
    )
    tail = workspace.run(("tail", "-c", str(_TAIL_BYTES), _SAID), limit_bytes=2 * _TAIL_BYTES)
    return Watched(done.status, tail.stdout + done.stderr, tuple(looks))
