"""The best of several formats is the one whose tightest line leaves the most room."""

from __future__ import annotations

from typing import Literal

from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine
from edgeshrink.judging.choose import best_of


def line(
    name: str,
    value: float | None,
    limit: float,
    comparison: Literal["<=", ">="] = "<=",
    predicted: float | None = None,
    unit: str = "",
) -> VerdictLine:
    reading = Unmeasured("elsewhere") if value is None else Measured(value)
    prediction = None if predicted is None else Estimate(predicted, "")
    return VerdictLine(name, unit, comparison, limit, reading, prediction, "PASS", "")


def verdict(outcome: Outcome, *lines: VerdictLine) -> Verdict:
    return Verdict(outcome, lines)


def test_nothing_built_has_no_best() -> None:
    assert best_of({})[0] is None


def test_one_that_fails_stands_behind_one_that_does_not() -> None:
    best, why = best_of({"a": verdict("FAIL", line("size", 1, 10)), "b": verdict("UNKNOWN", line("size", 9, 10))})
    assert best == "b"
    assert "fails no line" in why


def test_among_equals_the_tightest_line_decides() -> None:
    roomy = verdict("PASS", line("size", 5, 10), line("speed", 20, 10, ">="))
    tight = verdict("PASS", line("size", 1, 10), line("speed", 11, 10, ">="))
    best, why = best_of({"tight": tight, "roomy": roomy})
    assert best == "roomy"
    assert "50%" in why and "tight 91% (speed)" in why


def test_an_unmeasured_line_counts_with_its_prediction_and_one_without_for_nobody() -> None:
    first = verdict("UNKNOWN", line("size", 8, 10), line("RAM", None, 10, predicted=2), line("energy", 1, 1000))
    second = verdict("UNKNOWN", line("size", 1, 10), line("RAM", None, 10, predicted=9), line("energy", None, 1000))
    best, why = best_of({"first": first, "second": second})
    assert best == "first"
    assert "80%" in why and "second 90% (RAM)" in why


def test_without_a_common_figure_the_first_stays() -> None:
    best, _ = best_of({"x": verdict("UNKNOWN", line("size", 1, 10)), "y": verdict("UNKNOWN", line("RAM", 1, 10))})
    assert best == "x"


def test_a_figure_that_cannot_pass_one_uses_the_distance_to_one() -> None:
    def cosine(value: float) -> VerdictLine:
        return line("cosine", value, 0.99, ">=", unit="cosine")

    large = verdict("PASS", line("size", 97, 100), cosine(0.9999))
    small = verdict("PASS", line("size", 10, 100), cosine(0.9985))
    best, why = best_of({"large": large, "small": small})
    assert best == "small"
    assert "15%" in why and "large 97% (size)" in why


def test_a_share_that_was_lost_is_best_at_nothing() -> None:
    """Of 5 points allowed 4 are used; of a share that should be high, the distance to 1 is."""

    def lost(value: float) -> VerdictLine:
        return line("slice arithmetic", value, 0.05, unit="share")

    much, little = verdict("PASS", lost(0.04)), verdict("PASS", lost(0.01))
    best, why = best_of({"much": much, "little": little})
    assert best == "little"
    assert "20%" in why and "much 80% (slice arithmetic)" in why


def test_what_a_ratio_grew_by_is_best_at_nothing_and_the_ratio_itself_at_one() -> None:
    """A gate allows the perplexity to grow by 5 %; another line wants it below 1.5 times the reference's."""

    def grew(value: float) -> Verdict:
        by = line("slice text/en perplexity ratio", value, 0.05, unit="x")
        return verdict("PASS", by, line("perplexity ratio", 1 + value, 1.5, unit="x"))

    best, why = best_of({"much": grew(0.04), "little": grew(0.01)})
    assert best == "little"
    assert "20%" in why and "much 80% (slice text/en perplexity ratio)" in why
