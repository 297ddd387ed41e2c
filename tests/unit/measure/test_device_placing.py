"""What goes to the device, and how the runner is started there."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

import pytest

from edgeshrink.core.device import Address, parse_address
from edgeshrink.core.events import silent
from edgeshrink.devices.transports.registry import open_transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.measure.device import placing
from edgeshrink.measure.device.placing import POLITE, put_artifact, starter


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


def test_a_model_is_in_the_storage_before_anything_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "sync"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncat "$1" >"$(dirname "$0")/synced"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    model = tmp_path / "model"
    model.write_bytes(b"weights")
    with (
        closing(open_transport(parse_address("local"))) as here,
        open_workspace(here, keep=False, leftovers=tmp_path / "leftovers") as workspace,
    ):
        put_artifact(workspace, model, hashlib.sha256(b"weights").hexdigest(), "model.gguf", silent)
    assert (program.parent / "synced").read_bytes() == b"weights"
