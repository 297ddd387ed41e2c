"""An adapter that ships beside an artifact, judged with it by the budget's quality floor: one line an adapter. Pure."""

from __future__ import annotations

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import Budget
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.judging.behaviour import gate_lines
from edgeshrink.judging.gains import Gains
from edgeshrink.judging.judge import check_line, distance_lines
from edgeshrink.judging.outcomes import overall

UNIT = "failed checks"


def adapter_line(
    name: str,
    budget: Budget,
    quality: Quality | Unmeasured,
    behaviour: Behaviour | Unmeasured | None,
    gains: Gains | None = None,
) -> VerdictLine:
    """Whether base and adapter together keep what the base alone has to keep: every check, the distances of the floor,
    and the gates of the suite, where one was run. The reading counts what fails of these."""
    lines = (
        check_line(quality),
        *distance_lines(budget, quality),
        *(() if behaviour is None else gate_lines(budget.quality, behaviour, gains)),
    )
    outcome = overall(tuple(line.outcome for line in lines))
    failed = [line for line in lines if line.outcome == "FAIL"]
    unknown = [line for line in lines if line.outcome == "UNKNOWN"]
    reading: Reading = Measured(float(len(failed)), how=_words(failed) or f"{len(lines)} lines hold with it")
    if outcome == "UNKNOWN":
        names = ", ".join(line.name for line in unknown)
        reading = quality if isinstance(quality, Unmeasured) else Unmeasured(f"too little is known of: {names}")
    why = reading.reason if isinstance(reading, Unmeasured) else reading.how
    return VerdictLine(f"with the adapter {name}", UNIT, "<=", 0.0, reading, None, outcome, why)


def _words(lines: list[VerdictLine]) -> str:
    return "; ".join(f"{line.name} ({line.why})" if line.why else line.name for line in lines)
