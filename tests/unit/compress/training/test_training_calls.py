from __future__ import annotations

import pytest

from edgeshrink.compress.training import calls
from edgeshrink.compress.training.follow import follow
from edgeshrink.compress.training.torchrun import Place, place
from edgeshrink.errors import UsageError


class Store(dict[str, str]):
    """As much of torch.distributed's key-value store as calls need."""

    def add(self, key: str, amount: int) -> int:
        self[key] = str(int(self.get(key, "0")) + amount)
        return int(self[key])

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def check(self, keys: list[str]) -> bool:
        return all(key in self for key in keys)


def test_calls_come_in_order_and_the_last_sends_home() -> None:
    store, here = Store(), Place(0, 2)

    assert [calls.publish(store, here, call) for call in ({"a": 1}, {"b": [2]}, None)] == [1, 2, 3]

    other = Place(1, 2)
    assert [calls.wait(store, other, number, over=bool) for number in (1, 2, 3)] == [{"a": 1}, {"b": [2]}, None]


def test_a_worker_that_is_told_to_end_waits_no_longer() -> None:
    answers = iter((False, True))

    assert calls.wait(Store(), Place(1, 2), 1, over=lambda: next(answers)) is None


def test_calls_of_a_run_that_torchrun_began_anew_are_not_heard() -> None:
    store = Store()
    calls.publish(store, Place(0, 2, restart=0), {"a": 1})

    assert calls.wait(store, Place(1, 2, restart=1), 1, over=lambda: True) is None


def test_a_process_is_alone_outside_torchrun() -> None:
    assert place({}) == Place(0, 1, 0, 1, 0)


def test_the_first_worker_has_nobody_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)

    with pytest.raises(UsageError, match="nobody to follow"):
        follow()


def test_torchrun_tells_a_worker_its_place() -> None:
    told = {
        "RANK": "5",
        "WORLD_SIZE": "8",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "4",
        "TORCHELASTIC_RESTART_COUNT": "2",
    }

    assert place(told) == Place(5, 8, 1, 4, 2)
    with pytest.raises(UsageError, match="RANK is 'x'"):
        place(told | {"RANK": "x"})
