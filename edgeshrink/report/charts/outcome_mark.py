"""A point of a chart by its outcome: a shape of its own for each, so that nobody has to tell colours apart."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.verdict import Outcome
from edgeshrink.report.charts import svg


def outcome_mark(outcome: Outcome | None, at: float, up: float, title: Markup, *, size: float = 5.5) -> Markup:
    """Failed: a triangle; unknown: hollow; passed, or not judged (None): a disc."""
    if outcome == "FAIL":
        corners = ((0.0, -6.5), (6.5, 5.5), (-6.5, 5.5))
        points = " ".join(f"{at + dx * size / 5.5:.1f},{up + dy * size / 5.5:.1f}" for dx, dy in corners)
        return svg.element("polygon", title, points=points, class_="mark fail")
    class_ = "mark data" if outcome is None else f"mark {outcome.lower()}"
    return svg.element("circle", title, cx=at, cy=up, r=size, class_=class_)
