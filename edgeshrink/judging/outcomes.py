"""One word for several."""

from __future__ import annotations

from edgeshrink.core.verdict import Outcome


def overall(outcomes: tuple[Outcome, ...]) -> Outcome:
    """FAIL if one failed, else UNKNOWN if one is unknown (or there is none), else PASS."""
    if "FAIL" in outcomes:
        return "FAIL"
    return "PASS" if outcomes and "UNKNOWN" not in outcomes else "UNKNOWN"
