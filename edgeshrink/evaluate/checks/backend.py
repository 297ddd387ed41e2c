"""What computed must be what was asked for: a delegate that gives up leaves no trace in what the file says."""

from __future__ import annotations

from edgeshrink.core.backends import backend_is
from edgeshrink.core.quality import Check


def check_backend(asked: str, backend: str) -> Check:
    """`backend` is what a session says of itself, `asked` the delegate that it was opened with."""
    if backend_is(asked, backend):
        return Check("backend", "ok", f"{asked} was asked for, it ran on {backend}")
    return Check("backend", "failed", f"asked for {asked}, ran on {backend}")
