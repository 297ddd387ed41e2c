"""What goes to the device, and how the runner is started there."""

from __future__ import annotations

import pytest

from edgeshrink.core.device import Address
from edgeshrink.measure.device import placing
from edgeshrink.measure.device.placing import POLITE, starter


@pytest.mark.parametrize(
    ("kind", "busy", "policy", "through"),
    [
        ("local", True, None, POLITE),
        ("local", False, None, ()),
        ("local", True, "active", ()),
        ("ssh", True, None, ()),
    ],
)
def test_threads_sleep_only_where_this_machine_itself_is_busy(
    kind: str, busy: bool, policy: str | None, through: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "machine_is_busy", lambda: busy)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    assert starter(Address(kind, "board")) == through  # type: ignore[arg-type]
