from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeshrink.compress.training.order import TrainingOrder, check_order, order_json, order_of
from edgeshrink.compress.training.record import (
    LOG_FILE,
    Pending,
    Run,
    append_entry,
    read_log,
    read_record,
    read_run,
    rewind,
    run_json,
    run_of,
    write_run,
)
from edgeshrink.core.training import HeldOutPoint, ObjectiveSettings, Point, TextSource, TrainingSettings
from edgeshrink.errors import DataError, UsageError

_POINTS = tuple(Point(step, 10 * step, 0.1 * step, 1 / step, 1e-3, 99.5, (("a", 0.25),)) for step in (3, 6, 9))
_LOOKS = (HeldOutPoint(0, 5.0, 4.0, None), HeldOutPoint(8, 0.1 + 0.2, 3.0, 1.5))
_SOURCE = TextSource("book.txt", "ab", 5, 1, 2, None)


def _order(**changes: Any) -> TrainingOrder:
    settings = TrainingSettings(**({"steps": 9} | changes))
    objective = ObjectiveSettings(kind="hidden", layers=((0, 1), (1, 3)))
    return TrainingOrder(Path("/m"), Path("/c"), "module:function", {"a": [1]}, settings, objective, Path("/s"), 4, 2)


def _written(folder: Path) -> Path:
    file = folder / LOG_FILE
    for entry in (_LOOKS[0], *_POINTS[:2], _LOOKS[1], _POINTS[2]):
        append_entry(file, entry)
    return file


def test_an_order_crosses_as_json() -> None:
    assert order_of(json.loads(json.dumps(order_json(_order())))) == _order()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"minutes": 1.0}, "either steps or minutes"),
        ({"steps": None}, "either steps or minutes"),
        ({"steps": 0}, "steps of a training run"),
        ({"rate": -1.0}, "rate of a training run"),
        ({"batch_tokens": 255}, "less than one row of 256"),
        ({"optimizer": "muon", "parallel": "fsdp"}, "Muon"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_order(_order(**changes))


def test_a_log_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    assert read_log(_written(tmp_path)) == (_POINTS, _LOOKS)


def test_half_a_line_that_a_kill_left_is_not_read(tmp_path: Path) -> None:
    file = _written(tmp_path)
    file.write_bytes(file.read_bytes()[:-9])

    assert read_log(file) == (_POINTS[:2], _LOOKS)


def test_what_was_told_after_a_checkpoint_is_forgotten(tmp_path: Path) -> None:
    file = _written(tmp_path)

    rewind(file, file, 6)

    assert read_log(file) == (_POINTS[:2], _LOOKS[:1])
    rewind(tmp_path / "not there", file, 6)
    assert read_log(file) == ((), ())


def test_a_state_says_all_of_the_record(tmp_path: Path) -> None:
    run = Run(9, 9, 90, 0.9, 2, 3, 4, "CPU", 8, ["a note"], Pending({"": 0.1}, 3.0, 1, 0.5))
    _written(tmp_path)
    write_run(tmp_path, run_json(run, _order(), (_SOURCE,)))

    record = read_record(tmp_path)

    assert run_of(read_run(tmp_path)) == run
    assert (record.points, record.held_out, record.sources) == (_POINTS, _LOOKS, (_SOURCE,))
    assert (record.objective, record.settings) == (_order().objective_settings, _order().settings)
    assert (record.planned_steps, record.steps, record.resumed, record.workers) == (9, 9, 2, 3)
    assert record.tokens_s == pytest.approx(100)
    assert record.stopped
    write_run(tmp_path, run_json(replace(run, step=8), _order(), ()))
    assert read_record(tmp_path).stopped == ""


def test_another_kind_of_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": "something"}')

    with pytest.raises(DataError, match="schema is 'something'"):
        read_run(tmp_path)
