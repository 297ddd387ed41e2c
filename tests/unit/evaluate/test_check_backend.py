from __future__ import annotations

import pytest

from edgeshrink.evaluate.checks.backend import check_backend


@pytest.mark.parametrize(("asked", "ran"), [("cpu", "CPU+CPU_AARCH64"), ("xnnpack", "xnnpack"), ("cuda", "CUDA0+CPU")])
def test_what_was_asked_for_ran(asked: str, ran: str) -> None:
    assert check_backend(asked, ran).outcome == "ok"


@pytest.mark.parametrize(("asked", "ran"), [("cuda", "cpu"), ("xnnpack", "portable"), ("cpu", "CUDA0+CPU")])
def test_a_silent_fallback_fails_and_names_both(asked: str, ran: str) -> None:
    check = check_backend(asked, ran)
    assert (check.outcome, check.detail) == ("failed", f"asked for {asked}, ran on {ran}")
