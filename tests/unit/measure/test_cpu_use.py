from __future__ import annotations

import time

import pytest

from edgeshrink.measure import cpu_use
from edgeshrink.measure.cpu_use import CpuUse, IdleGuard, TurnedBusy


@pytest.mark.parametrize(("others_s", "own_s", "share"), [(0.0, 4.0, 0.0), (2.0, 0.0, 0.25), (2.0, 4.0, 0.25)])
def test_only_what_others_used_counts(
    monkeypatch: pytest.MonkeyPatch, others_s: float, own_s: float, share: float
) -> None:
    monkeypatch.setattr("edgeshrink.measure.cpu_use.psutil.cpu_count", lambda: 2)
    seen = iter([(0.0, 100.0, 50.0), (4.0, 100.0 + others_s + own_s, 50.0 + own_s)])

    def moment() -> None:
        at, everyone, own = next(seen)
        monkeypatch.setattr(time, "perf_counter", lambda: at)
        monkeypatch.setattr(cpu_use, "_seconds_at_work", lambda: everyone)
        monkeypatch.setattr(cpu_use, "_own_seconds", lambda: own)

    moment()
    use = CpuUse(_at=0.0)
    moment()
    assert use.others_since() == pytest.approx(share)


def test_a_share_is_between_nothing_and_all() -> None:
    use = CpuUse()
    sum(range(10**5))
    assert 0 <= use.others_since() <= 1


def test_the_guard_raises_when_others_work_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeshrink.measure.cpu_use.psutil.cpu_count", lambda: 2)
    now = {"at": 10.0, "all": 100.0}
    monkeypatch.setattr(time, "perf_counter", lambda: now["at"])
    monkeypatch.setattr(cpu_use, "_seconds_at_work", lambda: now["all"])
    monkeypatch.setattr(cpu_use, "_own_seconds", lambda: 0.0)
    guard = IdleGuard()
    now.update(at=10.5, all=101.0)
    guard()  # too short to tell
    now.update(at=12.5, all=101.0)
    guard()  # one of five seconds
    now.update(at=13.6, all=102.0)
    with pytest.raises(TurnedBusy):
        guard()
