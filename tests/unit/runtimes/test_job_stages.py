"""What an exporting job tells of its stages and its memory, and what becomes of it at the parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeshrink.core.events import Progress
from edgeshrink.runtimes.child import run_job
from edgeshrink.runtimes.job_stages import export_times, peak_rss_bytes
from edgeshrink.runtimes.progress import forward

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def jobs_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def test_stages_are_told_as_they_begin_and_timed() -> None:
    told: list[Progress] = []
    times = export_times(run_job("child_jobs:work_in_stages", {}, on_event=forward(told.append, "export")))
    assert told == [
        Progress("export: read", 0, 0),
        Progress("export: read", 2, 5, "layers"),
        Progress("export: write", 0, 0),
        Progress("export: write", 1, 1),
    ]
    assert [name for name, _ in times.stages] == ["read", "write"]
    assert times.notes == ("two stages",)
    assert 0 <= times.seconds < 60


def test_steps_without_a_stage_are_those_of_the_task() -> None:
    told: list[Progress] = []
    on_event = forward(told.append, "compare", unit="tokens")
    events: list[dict[str, object]] = [{"done": 1, "total": 4}, {"done": 4, "total": 4, "unit": "rows"}, {"pid": 3}]
    for event in events:
        on_event(event)
    assert told == [Progress("compare", 1, 4, "tokens"), Progress("compare", 4, 4, "rows")]


def test_the_peak_of_a_job_is_its_own_and_not_what_its_parent_holds() -> None:
    alone: dict[str, Any] = run_job("child_jobs:work_in_stages", {})
    held = np.ones(512 << 20, np.uint8)
    child = export_times(run_job("child_jobs:work_in_stages", {})).peak_rss_bytes
    parent = peak_rss_bytes()
    if child is None or parent is None:
        pytest.skip("this system counts no peak")
    assert parent > held.nbytes > 2 * child
    assert child == pytest.approx(alone["peak_rss_bytes"], rel=0.2)
