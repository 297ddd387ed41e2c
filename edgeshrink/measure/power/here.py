"""Power of this host while a Python session runs: sensors are read between timed steps, never inside one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeshrink.core.power import PowerRecord
from edgeshrink.core.reading import Reading
from edgeshrink.measure.power.energy import no_power, record_power
from edgeshrink.measure.power.interface import RawSample, SamplingPlan
from edgeshrink.measure.power.readings import COMMAND, UNREADABLE
from edgeshrink.measure.power.registry import all_commands, all_globs, choose, reader

REST_S = 5.0
"""Rest before loading, from which the idle power is taken; there is none where there is no source."""
_SHOWN_BYTES = 4096
_LINE_BYTES = 1 << 16


def now_s() -> float:
    """Seconds on the clock that all stamps of a session are of; it runs while the machine sleeps, where it can."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def shown_here(names: Sequence[str], root: Path = Path("/")) -> dict[str, str]:
    """What a probe of this host shows to the readers of these names: paths (without `root`) and programs."""
    shown: dict[str, str] = {}
    for pattern in all_globs(names):
        for found in sorted(root.glob(pattern.lstrip("/"))):
            path = "/" + found.relative_to(root).as_posix()
            try:
                shown[path] = _read(found, _SHOWN_BYTES)
            except OSError as error:
                shown[path] = ""
                shown[UNREADABLE + path] = error.strerror or type(error).__name__
    for command in all_commands(names):
        if (place := shutil.which(command)) is not None:
            shown[COMMAND + command] = place
    return shown


def _read(path: Path, limit: int) -> str:
    with path.open("rb") as stream:
        return stream.read(limit).decode("utf-8", "replace").strip()


class PowerHere:
    """The first source of `names` that this host shows, or none: then every method does nothing.

    Files are read when `look` is called, at most as often as the plan says (50 ms); a program's lines are taken by a
    thread as they come.
    """

    def __init__(self, names: Sequence[str], root: Path = Path("/")) -> None:
        self._root = root
        self._source = choose(names, shown_here(names, root))
        self._plan = None if isinstance(self._source, str) else self._source[1]
        self._every_s = 0.0 if self._plan is None else self._plan.interval_ms / 1e3
        self._samples: list[RawSample] = []
        self._rest: tuple[float, float] | None = None
        self._windows: list[tuple[float, float, int]] = []
        self._began = 0.0

    @contextmanager
    def sampling(self) -> Iterator[PowerHere]:
        """Its program, where the source is one, runs in here."""
        if self._plan is None or not self._plan.command:
            yield self
            return
        try:
            program = subprocess.Popen(
                self._plan.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError:
            yield self  # no sample comes, and the record says so
            return
        taker = threading.Thread(target=self._take_lines, args=(program,), daemon=True)
        taker.start()
        try:
            yield self
        finally:
            program.terminate()
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            taker.join(5)

    def _take_lines(self, program: subprocess.Popen[bytes]) -> None:
        assert program.stdout is not None
        with program.stdout as lines:
            while line := lines.readline(_LINE_BYTES):
                self._samples.append(RawSample(now_s(), (line.decode("utf-8", "replace").strip(),)))

    def rest(self, seconds: float = REST_S) -> None:
        """Do nothing for so long, to see what the idle machine draws."""
        if self._plan is None:
            return
        began = self._look()
        while now_s() < began + seconds:
            time.sleep(self._every_s)
            self._look()
        self._rest = (began, self._look())

    def look(self) -> None:
        """Call it where nothing is timed."""
        if self._plan is not None and (not self._samples or now_s() - self._samples[-1].at_s >= self._every_s):
            self._look()

    def begin(self) -> None:
        """What is decoded or run from now on counts, until `end`. A reading falls on each of the two moments."""
        if self._plan is not None:
            self._began = self._look()

    def end(self, done: int) -> None:
        """`done` tokens or runs since `begin`."""
        if self._plan is not None:
            self._windows.append((self._began, self._look(), done))

    def _look(self) -> float:
        """Read the files; returns the moment."""
        assert self._plan is not None
        if not self._plan.files:
            return now_s()
        before = now_s()
        texts = tuple(self._text(file) for file in self._plan.files)
        at_s = (before + now_s()) / 2
        self._samples.append(RawSample(at_s, texts))
        return at_s

    def _text(self, file: str) -> str | None:
        with contextlib.suppress(OSError):
            return _read(self._root / file.lstrip("/"), _SHOWN_BYTES)
        return None

    def as_json(self) -> dict[str, Any]:
        """What `from_json` makes a record of, in another process."""
        if isinstance(self._source, str):
            return {"reason": self._source}
        return {
            "reader": self._source[0].name,
            "plan": asdict(self._source[1]),
            "samples": [[sample.at_s, list(sample.texts)] for sample in self._samples],
            "rest": self._rest,
            "windows": self._windows,
        }


def from_json(seen: Mapping[str, Any], unit: str = "token") -> tuple[PowerRecord, Reading, tuple[Reading, ...]]:
    """The record over all windows, the energy of one `unit` over all of them, and of each window alone; millijoule."""
    if "reason" in seen:
        record, energy = no_power(str(seen["reason"]))
        return record, energy, ()
    fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in seen["plan"].items()}
    plan = SamplingPlan(**fields)
    samples = [RawSample(at_s, tuple(texts)) for at_s, texts in seen["samples"]]
    rest = None if seen["rest"] is None else (seen["rest"][0], seen["rest"][1])
    windows = [(began, ended, done) for began, ended, done in seen["windows"]]
    source = reader(seen["reader"])
    record, energy = record_power(source, plan, samples, rest, windows, unit=unit)
    each = tuple(record_power(source, plan, samples, rest, [window], unit=unit)[1] for window in windows)
    return record, energy, each
