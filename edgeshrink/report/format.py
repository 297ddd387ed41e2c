"""Numbers as people read them: 3 significant digits, binary byte units, and a reason where there is no number."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeshrink.core.plain import plain as plain
from edgeshrink.core.reading import Estimate, Measured, Reading, Unmeasured
from edgeshrink.core.verdict import Outcome, VerdictLine

DASH = "—"
MARKS: dict[Outcome, str] = {"PASS": "✓", "FAIL": "✗", "UNKNOWN": "?"}
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
AS_ASKED = "as asked for"  # the unit of a line that says yes or no
_FINE = ("cosine", "mean", "score")  # close to 1, or told apart by little


def line_label(name: str) -> str:
    """A budget line's name as the start of a row."""
    name = plain(name)
    return name[:1].upper() + name[1:]


def decimals(value: float) -> int:
    """Digits after the point that leave 3 significant ones (at most 6)."""
    if value == 0 or not math.isfinite(value):
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(abs(value)))))


def digits(value: float, unit: str) -> int:
    """As `decimals`, by what the unit needs."""
    if unit == "score":
        return max(4, decimals(value))
    if unit not in _FINE or not math.isfinite(value):
        return decimals(value)
    distance = abs(1 - value)
    return 7 if distance < 1e-7 else min(7, max(3, 1 - math.floor(math.log10(distance))))


def number(value: float) -> str:
    """3 significant digits, thousands with commas, never an exponent above 1e-5."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "not a number"
    if value != 0 and abs(value) < 1e-5:
        return f"{value:.2e}"
    return f"{value:,.{decimals(value)}f}"


def human_bytes(value: float) -> str:
    """`1.23 GiB`, at most 8 characters up to 999 TiB; exact below 1 KiB."""
    divisor, unit = _byte_unit(value)
    scaled = value / divisor
    if unit == "B":
        return f"{scaled:.0f} B"
    return f"{scaled:.2f} {unit}" if abs(scaled) < 1 else f"{number(scaled)} {unit}"


def duration(seconds: float) -> str:
    """`0.42 s`, `3 min 20 s`, `1 h 05 min`."""
    if not math.isfinite(seconds) or seconds < 59.95:
        return f"{number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left:02d} min"
    return f"{minutes} min {rest:02d} s"


def rough_duration(seconds: float) -> str:
    """`12.3 s`, `6.7 min`, `1.4 h`: for what is only predicted."""
    for divisor, unit in ((3600, "h"), (60, "min")):
        if math.isfinite(seconds) and seconds >= 0.995 * divisor:
            return f"{seconds / divisor:,.1f} {unit}"
    return f"{number(seconds)} s"


def human(value: float, unit: str) -> str:
    """One value with its unit. `bytes`, `s`, `x`, `share` (0 to 1, shown in percent) and counts have own forms.

    `cosine` has as many digits as its distance from 1 needs, `score` one more than others; neither spells its unit.
    """
    if unit == "bytes":
        return human_bytes(value)
    if unit == "s":
        return duration(value)
    if unit == "share":
        return f"{_percent(value)} %"
    if unit == "x":
        return _with_unit(number(value), "×")
    if unit == "failed checks":
        return f"{value:.0f} failed"
    if unit == "major faults":
        return f"{value:,.0f} {'fault' if value == 1 else 'faults'}"
    if unit == AS_ASKED:
        return AS_ASKED if value >= 1 else "another one"
    return _with_unit(f"{value:,.{digits(value, unit)}f}", "") if unit in _FINE else _with_unit(number(value), unit)


def reading_text(reading: Reading | Estimate, unit: str, *, spread: bool = True) -> str:
    """`12.3 ± 0.4 tok/s` measured (an uneven interval as `(11.0 to 12.5)`), `~12.3 tok/s` estimated, `— (reason)`."""
    if isinstance(reading, Unmeasured):
        return f"{DASH} ({plain(reading.reason)})"
    if isinstance(reading, Estimate):
        return f"~{human(reading.value, unit)}"
    return _with_spread(reading, unit) if spread else human(reading.value, unit)


def short_text(reading: Reading | Estimate | None, unit: str, *, spread: bool = False) -> str:
    """As `reading_text`, for a narrow cell: no reason, which then has to stand elsewhere."""
    return DASH if reading is None or isinstance(reading, Unmeasured) else reading_text(reading, unit, spread=spread)


def limit_text(line: VerdictLine) -> str:
    """`≤ 1.5 GiB`."""
    bare = line.limit == 0 or line.unit == AS_ASKED
    return limit_value(line) if bare else f"{'≤' if line.comparison == '<=' else '≥'} {limit_value(line)}"


def limit_value(line: VerdictLine) -> str:
    """`1.5 GiB`: a limit was written by a person, so it is spelled in full, without digits that nobody wrote.

    Bytes that are no round number of their unit were counted, not written so: 3 significant digits of those.
    """
    if line.limit == 0 or line.unit == AS_ASKED:
        return human(line.limit, line.unit)
    divisor, name = _display_unit(line.limit, line.unit)
    scaled = line.limit / divisor
    if line.unit == "bytes" and abs(scaled - round(scaled, 3)) > 5e-7:
        return human_bytes(line.limit)
    figure = f"{scaled:,.6f}".rstrip("0").rstrip(".")
    return _with_unit(figure, name)


def error_percent(prediction: Reading | Estimate | None, reading: Reading) -> float | None:
    """How far the prediction lies above (+) or below (-) the measurement, in percent of it; None without both."""
    if not isinstance(prediction, Estimate) or not isinstance(reading, Measured) or reading.value == 0:
        return None
    error = 100 * (prediction.value - reading.value) / reading.value
    return error if math.isfinite(error) else None


def error_text(error: float | None) -> str:
    """`+4.2 %`; `exact` where nothing is off."""
    if error is None:
        return DASH
    if error == 0:
        return "exact"
    return f"{error:+,.1f} %" if abs(error) < 99.95 else f"{error:+,.0f} %"


def _byte_unit(value: float) -> tuple[float, str]:
    power = 0
    while math.isfinite(value) and abs(value) / 1024.0**power >= 999.5 and power < len(_BYTE_UNITS) - 1:
        power += 1
    return 1024.0**power, _BYTE_UNITS[power]


def _display_unit(value: float, unit: str) -> tuple[float, str]:
    if unit == "bytes":
        return _byte_unit(value)
    return {"share": (0.01, "%"), "x": (1.0, "×"), **dict.fromkeys(_FINE, (1.0, ""))}.get(unit, (1.0, unit))


def _with_unit(figure: str, unit: str) -> str:
    return figure + unit if unit == "×" else f"{figure} {unit}".rstrip()


def _percent(share: float) -> str:
    """One digit after the point; two near 100 %, where they matter."""
    percent = 100 * share
    return f"{percent:.2f}" if 99 < percent < 100 else f"{percent:.1f}"


def _with_spread(reading: Measured, unit: str) -> str:
    if reading.low is None or reading.high is None or reading.low == reading.high:
        return human(reading.value, unit)
    divisor, name = _display_unit(reading.value, unit)
    value, low, high = (figure / divisor for figure in (reading.value, reading.low, reading.high))
    below, above = value - low, high - value
    wider = max(below, above)
    shown = decimals(value) if divisor != 1.0 else digits(value, unit)
    shown += 1 if wider < 10**-shown else 0
    if min(below, above) >= 0.8 * wider > 0:
        return _with_unit(f"{value:,.{shown}f} ± {wider:,.{shown}f}", name)
    return _with_unit(f"{value:,.{shown}f} ({low:,.{shown}f} to {high:,.{shown}f})", name)


def listed(items: Sequence[str], *, most: int, more: str) -> str:
    """`a, b and 3 more files`: the first `most`, and what the rest are. One is never left out alone."""
    rest = len(items) - most
    if rest <= 1:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {rest:,} more {more}"
