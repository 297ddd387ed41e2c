"""When to hand over: how often the answers that are kept are wrong, by how many are kept."""

from __future__ import annotations

from markupsafe import Markup

from edgeshrink.core.fallback import FallbackFit
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.report.charts import svg
from edgeshrink.report.format import human

_ID = "risk"
_TITLE = "When to hand over"


def risk_chart(fit: FallbackFit | Unmeasured) -> svg.Figure:
    """The fitted curve, the threshold that was chosen, what the check on other items found, and the stated risk."""
    if isinstance(fit, Unmeasured):
        return svg.Figure(_ID, _TITLE, f"No threshold was fitted: {fit.reason}.", None)
    rule = fit.fallback
    curve = sorted((point.coverage, point.risk) for point in rule.curve)
    highest = max([risk for _, risk in curve] + [rule.risk, fit.stated_risk, *_ends(fit.checked_risk)])
    x = svg.Scale(0.0, 1.0, svg.LEFT, svg.RIGHT - 12)
    y = svg.Scale(0.0, min(1.0, highest * 1.15) or 1.0, svg.BOTTOM, svg.TOP)
    stated = f"stated risk {human(fit.stated_risk, 'share')}"
    parts = [
        svg.y_axis(y, "wrong among those that are kept", _percent),
        svg.x_axis(x, "answers that are kept; the rest is handed over", _percent),
        svg.line(svg.LEFT, y(fit.stated_risk), svg.RIGHT, y(fit.stated_risk), "limit"),
        svg.text(svg.LEFT + 4, y(fit.stated_risk) - 5, stated, "limit-label"),
    ]
    if len(curve) > 1:
        parts.append(svg.path([(x(coverage), y(risk)) for coverage, risk in curve], "curve"))
    for point in rule.curve:
        title = svg.element("title", f"confidence {point.threshold:.3g}: {_spoken(point.coverage, point.risk)}")
        parts.append(svg.element("circle", title, cx=x(point.coverage), cy=y(point.risk), r=3, class_="mark data"))
    chosen = f"threshold {rule.threshold:.3g}: {_spoken(rule.coverage, rule.risk)}"
    at, up = x(rule.coverage), y(rule.risk)
    parts += [
        svg.element("circle", svg.element("title", chosen), cx=at, cy=up, r=9, class_="ring"),
        svg.element("circle", cx=at, cy=up, r=4.5, class_="mark data"),
    ]
    said = f"chosen: {chosen}; {stated}"
    caption = f"Ringed: the threshold that was chosen, {rule.threshold:.3g} at temperature {rule.temperature:.3g}."
    if isinstance(fit.checked_risk, Measured) and isinstance(fit.checked_coverage, Measured):
        parts += _check(x, y, fit.checked_coverage, fit.checked_risk)
        found = _spoken(fit.checked_coverage.value, fit.checked_risk.value)
        said += f"; checked on {fit.checked_on:,} other items: {found}"
        caption += f" Cross: what the check found on {fit.checked_on:,} items not used to fit it, with 95 % intervals."
    return svg.Figure(_ID, _TITLE, caption, svg.drawing(_ID, _TITLE, said, parts))


def _check(x: svg.Scale, y: svg.Scale, coverage: Measured, risk: Measured) -> list[Markup]:
    at, up = x(coverage.value), y(min(y.high, risk.value))
    parts = []
    if risk.low is not None and risk.high is not None:
        parts.append(svg.line(at, y(max(0.0, risk.low)), at, y(min(y.high, risk.high)), "check"))
    if coverage.low is not None and coverage.high is not None:
        parts.append(svg.line(x(max(0.0, coverage.low)), up, x(min(1.0, coverage.high)), up, "check"))
    return [*parts, svg.element("circle", cx=at, cy=up, r=2.5, class_="mark second")]


def _ends(reading: Measured | Unmeasured) -> list[float]:
    if isinstance(reading, Unmeasured):
        return []
    return [end for end in (reading.value, reading.high) if end is not None]


def _spoken(coverage: float, risk: float) -> str:
    return f"{human(coverage, 'share')} kept, {human(risk, 'share')} of those wrong"


def _percent(share: float) -> str:
    return f"{svg.tick_text(100 * share)} %"
