from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from edgeshrink.core.events import Progress, notice
from edgeshrink.core.plain import plain
from edgeshrink.report.progress import ProgressBars


def terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, width=width, height=40, legacy_windows=False), stream


def test_a_terminal_sees_task_amount_and_total() -> None:
    console, stream = terminal()
    with ProgressBars(console=console) as listener:
        listener(Progress("write model.gguf", 5 * 1024**2, 20 * 1024**2, "bytes"))
        listener(Progress("measure", 2, 5, "sessions"))
    text = stream.getvalue()
    assert "write model.gguf" in text and "5.00 MiB of 20.0 MiB" in text
    assert "2 of 5 sessions" in text


def test_a_total_that_is_not_known_is_not_shown() -> None:
    console, stream = terminal()
    with ProgressBars(console=console) as listener:
        listener(Progress("read", 3 * 1024**2, 0, "bytes"))
    assert "3.00 MiB" in stream.getvalue()
    assert "3.00 MiB of" not in stream.getvalue()


def test_a_quiet_pipe_gets_not_one_byte() -> None:
    stream = io.StringIO()
    with ProgressBars(quiet=True, console=Console(file=stream, force_terminal=False)) as listener:
        listener(Progress("write", 1, 2))
    assert stream.getvalue() == ""


def test_a_log_names_a_task_once_and_no_more_than_one_in_a_second() -> None:
    stream, moments = io.StringIO(), iter((0.0, 0.5, 0.9, 1.1, 3.0, 5.0))
    console = Console(file=stream, force_terminal=False, width=20)
    with ProgressBars(console=console, clock=lambda: next(moments)) as listener:
        for task in ("copying \x1b[1mmodel.gguf to ssh:me@there", "brief", "measure", "measure", "measure", "measure"):
            listener(Progress(task, 1, 2, "bytes"))
    assert stream.getvalue() == plain("copying \x1b[1mmodel.gguf to ssh:me@there") + "\nmeasure\n"


def test_a_log_hears_of_a_long_task_every_minute_how_far_it_is() -> None:
    stream, moments = io.StringIO(), iter((0.0, 30.0, 61.0, 90.0, 122.0))
    with ProgressBars(console=Console(file=stream, force_terminal=False), clock=lambda: next(moments)) as listener:
        for step in (1, 40, 80, 120, 160):
            listener(Progress("train", step, 240, f"steps, 6,100 tok/s, {240 - step} s left"))
    said = stream.getvalue().splitlines()
    assert said[0] == "train" and len(said) == 3
    assert said[1:] == [f"train: {n} of 240 steps, 6,100 tok/s, {240 - n} s left" for n in (80, 160)]


@pytest.mark.parametrize("quiet", [True, False])
def test_a_notice_reaches_a_person_at_a_pipe_once(quiet: bool) -> None:
    stream = io.StringIO()
    with ProgressBars(quiet=quiet, console=Console(file=stream, force_terminal=False, width=20)) as listener:
        for _ in range(2):
            listener(notice("adb:R1: unlock the phone [and] tap \x1b[31mAllow"))
    assert stream.getvalue() == plain("adb:R1: unlock the phone [and] tap \x1b[31mAllow") + "\n"


def test_a_notice_stays_on_a_terminal_where_bars_go_away() -> None:
    console, stream = terminal()
    with ProgressBars(console=console) as listener:
        listener(Progress("measure", 1, 2))
        listener(notice("adb:R1: unlock the phone"))
    assert stream.getvalue().count("adb:R1: unlock the phone\n") == 1


def test_quiet_is_silent_on_a_terminal_too() -> None:
    console, stream = terminal()
    with ProgressBars(quiet=True, console=console) as listener:
        listener(Progress("write", 1, 2))
    assert stream.getvalue() == ""


def test_a_task_may_start_over_and_markup_in_its_name_is_text() -> None:
    console, stream = terminal()
    with ProgressBars(console=console) as listener:
        for done in (1, 2, 3, 1, 2, 3):
            listener(Progress("[bold]evaluate[/]", done, 3, "chunks"))
    assert "[bold]evaluate[/]" in stream.getvalue()


def test_events_may_come_from_many_threads_and_after_the_end() -> None:
    console, _ = terminal()
    bars = ProgressBars(console=console)
    failures: list[BaseException] = []
    with bars as listener:

        def work(name: str) -> None:
            try:
                for done in range(50):
                    listener(Progress(name, done, 50))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"task {index}",)) for index in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    listener(Progress("too late", 1, 2))
    assert failures == []


def test_an_error_inside_goes_through() -> None:
    console, _ = terminal()
    with pytest.raises(RuntimeError, match="boom"), ProgressBars(console=console):
        raise RuntimeError("boom")
