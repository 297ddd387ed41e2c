"""Thirty kills of `apply` in place: tools/kills.py does a thousand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from patched_builds import bundle_like

if os.name == "nt":
    pytest.skip("no SIGKILL and no fork on Windows", allow_module_level=True)

from tools import kills


def test_a_killed_apply_leaves_the_old_or_the_new_build_and_the_next_run_nothing_else(
    tmp_path: Path,
) -> None:
    old = bundle_like(tmp_path / "old")
    new = bundle_like(tmp_path / "new", note="other", seeds={"output.weight": 77})
    with kills.applying(old, new, tmp_path) as subject:
        found = kills.kill_at_random(subject, 30, seed=3)
    assert found.between == ()
    assert found.leftovers == ()
    assert sum(found.ended.values()) == 30
    assert found.killed > 0


def test_the_check_sees_a_folder_in_between_and_a_leftover(tmp_path: Path) -> None:
    old = bundle_like(tmp_path / "old")
    new = bundle_like(tmp_path / "new", note="other")
    with kills.applying(old, new, tmp_path) as subject:

        def torn() -> None:
            (subject.place / "bundle.json").write_bytes((new / "bundle.json").read_bytes())
            (subject.place.parent / "left").mkdir(exist_ok=True)

        found = kills.kill_at_random(
            kills.Subject(torn, subject.place, subject.old, subject.old_digest, subject.new_digest), 10, seed=3
        )
    assert found.between
    assert found.leftovers == ("left",)
