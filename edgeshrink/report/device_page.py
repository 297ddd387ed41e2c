"""What the page says of a device session: where it ran, what to beware of, power, memory, a long decode."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.report import Report
from edgeshrink.report import charts
from edgeshrink.report.device_told import device_facts, device_text
from edgeshrink.report.session_told import paging_text, partial_text, session_facts, warnings
from edgeshrink.report.told import is_native


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Texts of the device's sections. `alerts` stand at the top of the page, `warnings` at the figures too."""

    where: str
    warnings: tuple[str, ...]
    alerts: tuple[str, ...]
    session: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


def device_page(report: Report) -> DevicePage | None:
    """None where this host's own Python measured, or nothing did."""
    seen = report.measurements
    if seen is None or seen.device is None:
        return None
    paging = paging_text(seen.memory)
    alerts = (partial_text(seen), *warnings(report), f"Paging: {paging}" if paging else "")
    return DevicePage(
        where=device_text(seen.device),
        warnings=warnings(report),
        alerts=tuple(text for text in alerts if text),
        session=session_facts(report, seen),
        facts=device_facts(seen.device),
    )


def device_charts(report: Report) -> list[charts.Figure]:
    """Those that only a device session has figures for."""
    seen = report.measurements
    if seen is None:
        return []
    found = [charts.fit_chart(report)] if is_native(seen) else []
    if seen.sustained is not None:
        found.append(charts.sustained_chart(seen.sustained))
    if seen.power is not None and seen.power.timeline:
        found.append(charts.power_chart(seen.power))
    return found
