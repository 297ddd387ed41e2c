"""The page of one step: what was cut or trained, its curves, and what the suite says of the result."""

from __future__ import annotations

from edgeshrink.core.shrinking import ShrinkStep
from edgeshrink.core.verdict import Verdict
from edgeshrink.report.behaviour_page import behaviour_page
from edgeshrink.report.page import page
from edgeshrink.report.shrink_page import step_page


def step_to_html(step: ShrinkStep, verdict: Verdict | None = None) -> str:
    """One file, no script, no request. `verdict` brings the lines of the gates. Equal steps give equal text."""
    return page(
        "step.html.j2",
        version=step.version,
        name=step.after.name,
        step=step_page(step),
        behaviour=None if step.behaviour is None else behaviour_page(step.behaviour, verdict),
    )
