"""Did what was learnt cost something else? Slices of a student that fell by more than noise explains. Pure."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.compared import ComparedRow
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.judging.compared import quality_rows
from edgeshrink.judging.difference import difference

CAPABILITY = "slices that fell"
_QUOTED = 3


def capability_line(rows: tuple[ComparedRow, ...] | Unmeasured) -> VerdictLine:
    """The gate of what was learnt for its own sake: no slice may fall beyond its interval."""
    if isinstance(rows, Unmeasured):
        why = f"whether it cost anything else is not known: {rows.reason}"
        return VerdictLine(CAPABILITY, "", "<=", 0.0, rows, None, "UNKNOWN", why)
    named = [f"{row.name} ({row.metric})" for row in rows]
    more = f" and {len(named) - _QUOTED} more" if len(named) > _QUOTED else ""
    why = f"beyond its interval fell {', '.join(named[:_QUOTED])}{more}" if named else "none fell beyond its interval"
    return VerdictLine(CAPABILITY, "", "<=", 0.0, Measured(float(len(rows))), None, "FAIL" if named else "PASS", why)


def fallen(after: Behaviour, before: Behaviour | None = None) -> tuple[ComparedRow, ...]:
    """Slices of tasks that `after` does worse than `before` (both against one reference; None: than that reference),
    with the whole interval that gates are judged by on that side; the largest loss first.

    Texts are not told: a distance to the reference has no direction, and gates of their own say how far it may be.
    """
    compared = after if before is None else difference(before, after)
    found = [
        (row.change.value, row)
        for row in quality_rows(compared, ())
        if row.word == "worse" and row.unit == "share" and isinstance(row.a, Measured)
        if isinstance(row.change, Measured)
    ]
    return tuple(row for _, row in sorted(found, key=lambda pair: -pair[0]))
