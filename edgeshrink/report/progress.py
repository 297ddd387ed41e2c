"""Progress on stderr: bars on a terminal, a line for every task in a pipe or a log; when told to be quiet, notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from edgeshrink.core import events
from edgeshrink.report.console import console as stderr_console
from edgeshrink.report.format import human_bytes, number, plain

_VISIBLE = 8
_LINE_S = 1.0
_AGAIN_S = 60.0


class ProgressBars:
    """A context that gives a Listener: `with ProgressBars(quiet=as_json) as listener: build(..., listener)`.

    One bar a task; a task that starts over gets its bar back. The bars go away at the end, as the report follows.
    Where there is no terminal a task is named once, when it begins, and no more than one in a second: what is over by
    then goes unnamed. One that goes on is told again every minute, with how far it is. Events may come from any thread.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or stderr_console(stderr=True)
        self._quiet = quiet
        self._clock = clock
        self._line_at = float("-inf")
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> events.Listener:
        if self._quiet:
            return self._tell
        if not self._console.is_terminal:
            return self._list
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Amount(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=5,
        )
        self._bars.start()
        return self._show

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _tell(self, event: events.Progress) -> None:
        """A notice, once, as a line of its own; above the bars where there are some."""
        with self._lock:
            if event.unit == events.NOTICE:
                self._line(event.task)

    def _list(self, event: events.Progress) -> None:
        """A notice, or the name of a task that begins."""
        if event.unit == events.NOTICE:
            self._tell(event)
            return
        with self._lock:
            now = self._clock()
            begins = event.task not in self._told
            if now - self._line_at < (_LINE_S if begins else _AGAIN_S):
                return
            self._line_at = now
            self._line(event.task if begins else f"{event.task}: {_amount(event.done, event.total, event.unit)}")

    def _line(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._console.print(plain(text), markup=False, highlight=False, soft_wrap=True)

    def _show(self, event: events.Progress) -> None:
        if event.unit == events.NOTICE:
            self._tell(event)
            return
        with self._lock:
            bars = self._bars
            if bars is None:
                return
            total = event.total or None
            task = self._tasks.get(event.task)
            if task is None:
                task = self._tasks[event.task] = bars.add_task(plain(event.task), total=total, unit=event.unit)
                for old in list(self._tasks.values())[:-_VISIBLE]:
                    bars.update(old, visible=False)
            elif event.done < bars.tasks[bars.task_ids.index(task)].completed:
                bars.reset(task, total=total, visible=True)
            bars.update(task, completed=event.done, total=total, unit=event.unit)


class _Amount(ProgressColumn):
    """How far a task is."""

    def render(self, task: Task) -> Text:
        unit = str(task.fields.get("unit", ""))
        return Text(plain(_amount(task.completed, task.total or 0, unit)), style="progress.download")


def _amount(done: float, total: float, unit: str) -> str:
    """`12.0 MiB of 48.0 MiB`, `3 of 5 sessions`, or just how much where the total is not known."""
    if unit == "bytes":
        return human_bytes(done) + (f" of {human_bytes(total)}" if total else "")
    return _count(done) + (f" of {_count(total)}" if total else "") + (f" {unit}" if unit else "")


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else number(value)
