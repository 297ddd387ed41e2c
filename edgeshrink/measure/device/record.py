"""All that one run of the native runner said, read line by line. Refuses what is no event, bounded in every way."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from edgeshrink.core.plain import plain
from edgeshrink.errors import DeviceError
from edgeshrink.measure.device.events import NAMES, CpuUse, Decode, Event, Hello, Idle, Prefill, Stretch

PROTOCOL = 1
LONGEST_LINE = 2 << 20
"""Characters; 4096 prompt ids or 100,000 step times are less than that."""
MOST_LINES = 500_000
"""Seven hours of sampling at 20 Hz."""
MOST_VALUES = 6_000_000
"""Samples, steps and ids in all: a dozen files for as long."""
_Wanted = TypeVar("_Wanted")


class Record:
    """Events in the order they came. `torn`: the last line broke off, as it does when a link is lost.

    `source`: what a message says that a line is of.
    """

    def __init__(self, source: str = "what the runner said") -> None:
        self._source = source
        self.events: list[Event] = []
        self._lines = 0
        self._values = 0
        self._unread: ValueError | None = None

    @property
    def torn(self) -> bool:
        return self._unread is not None

    def all(self, kind: type[_Wanted]) -> list[_Wanted]:
        return [event for event in self.events if isinstance(event, kind)]

    def first(self, kind: type[_Wanted]) -> _Wanted | None:
        return next((event for event in self.events if isinstance(event, kind)), None)

    def needed(self, kind: type[_Wanted]) -> _Wanted:
        """The first of that kind; DeviceError where there is none."""
        found = self.first(kind)
        if found is None:
            name = next(name for name, known in NAMES.items() if known is kind)
            raise DeviceError(
                f"the runner ended without saying {name!r}", hint="its protocol or its build is not this edgeshrink's"
            )
        return found

    @property
    def major_faults(self) -> int | None:
        """Pages that came from storage while prefill and decode were timed; None where they were not all counted."""
        counts = [part.majflt for part in self.all(Prefill)] + [part.majflt for part in self.all(Decode)]
        return sum(counts) if min(counts, default=0) >= 0 else None

    def add(self, line: str) -> Event | None:
        """Read one more line; None where it holds no event that is known here.

        DeviceError where a line is too long, no JSON object, or an event with a wrong field, and where there are too
        many lines, or too many values in them. A line that is no JSON may be the last one, torn: it is refused when
        another one follows.
        """
        if self._unread is not None:
            raise self._wrong("is no JSON") from self._unread
        self._lines += 1
        if self._lines > MOST_LINES:
            raise DeviceError(f"the runner said more than {MOST_LINES:,} lines")
        if len(line) > LONGEST_LINE:
            raise self._wrong(f"is longer than {LONGEST_LINE:,} characters")
        if not line.strip():
            return None
        try:
            said = from_json(line, allow_inf_nan=False)
        except ValueError as error:
            self._unread = error
            return None
        event = self._event(said, line)
        if event is not None:
            self._values += _values(event)
            if self._values > MOST_VALUES:
                raise DeviceError(f"the runner said more than {MOST_VALUES:,} values")
            self.events.append(event)
        return event

    def _event(self, said: object, line: str) -> Event | None:
        if not isinstance(said, dict) or not isinstance(said.get("event"), str):
            raise self._wrong("is no event")
        if said["event"] not in NAMES:
            return None
        try:
            event = _reader(said["event"]).validate_json(line, strict=True)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise self._wrong(f"({said['event']}): {plain(place)}: {first['msg']}") from None
        if isinstance(event, Idle | Prefill | Decode | Stretch | CpuUse) and event.end < event.start:
            raise self._wrong(f"({said['event']}): to: it ended before it began")
        if isinstance(event, Hello) and event.protocol != PROTOCOL:
            raise DeviceError(
                f"the runner speaks protocol {event.protocol}, not {PROTOCOL}", hint="let edgeshrink build it anew"
            )
        return event

    def _wrong(self, what: str) -> DeviceError:
        return DeviceError(
            f"line {self._lines} of {self._source} {what}", hint="something else printed there, or it was cut"
        )


def read_events(lines: Iterable[str], source: str = "what the runner said") -> Record:
    """Read recorded lines, as `Record.add` does one by one."""
    record = Record(source)
    for line in lines:
        record.add(line)
    return record


def _values(event: Event) -> int:
    """How much of it is kept."""
    parts = (getattr(event, name) for name in event.__slots__)
    return 1 + sum(len(part) for part in parts if isinstance(part, tuple))


@cache
def _reader(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(NAMES[name])
