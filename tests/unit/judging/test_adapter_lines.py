"""An adapter's line of the verdict says what base and adapter fail together, and never passes on what is not known."""

from __future__ import annotations

from dataclasses import replace

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.judging.adapters import adapter_line

BUDGET = Budget(quality=QualityFloor(mean_kl_max=0.1, same_top_share_min=0.8))
GOOD = Quality(
    "F32 GGUF",
    "text",
    "0" * 64,
    100,
    Measured(0.02),
    Measured(0.01),
    Measured(0.2),
    Measured(0.95),
    Measured(9.0),
    Measured(8.9),
    Measured(1.01),
    Measured(0.5),
    (Check("finite logits", "ok", "all"),),
)


def test_a_pair_that_keeps_everything_passes() -> None:
    line = adapter_line("billing", BUDGET, GOOD, None)
    assert (line.name, line.outcome, line.reading) == ("with the adapter billing", "PASS", line.reading)
    assert isinstance(line.reading, Measured) and line.reading.value == 0


def test_what_fails_is_counted_and_named() -> None:
    worse = replace(GOOD, mean_kl=Measured(0.3), checks=(Check("finite logits", "failed", "3 are not"),))
    line = adapter_line("billing", BUDGET, worse, None)
    assert line.outcome == "FAIL"
    assert isinstance(line.reading, Measured) and line.reading.value == 2
    assert "mean KL to the reference" in line.why and "3 are not" in line.why


def test_a_pair_that_nobody_could_compare_is_unknown() -> None:
    line = adapter_line("billing", BUDGET, Unmeasured("no room for the reference"), None)
    assert line.outcome == "UNKNOWN"
    assert line.reading == Unmeasured("no room for the reference")


def test_a_suite_that_was_not_run_leaves_it_unknown() -> None:
    gated = Budget(quality=QualityFloor.model_validate({"slices": {"arithmetic": {"max_degradation": 0.05}}}))
    line = adapter_line("billing", gated, GOOD, Unmeasured("no suite was run"))
    assert line.outcome == "UNKNOWN"
    assert isinstance(line.reading, Unmeasured) and "slice arithmetic" in line.reading.reason
