from __future__ import annotations

import math

import pytest

from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.format import (
    duration,
    error_percent,
    error_text,
    human,
    human_bytes,
    limit_text,
    listed,
    number,
    plain,
    reading_text,
    rough_duration,
    short_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1536, "1.50 KiB"),
        (1023 * 1024, "1.00 MiB"),
        (1.5 * 1024**3, "1.50 GiB"),
    ],
)
def test_bytes_have_binary_units(value: float, text: str) -> None:
    assert human_bytes(value) == text


@pytest.mark.parametrize("power", range(50))
def test_bytes_never_take_more_than_nine_characters(power: int) -> None:
    for factor in (1.0, 1.37, 0.9999, 0.9994):
        assert len(human_bytes(factor * 2**power)) <= 9


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (412.4, "412"), (1.0111, "1.01"), (0.012345, "0.0123"), (12345.6, "12,346"), (2.1e-7, "2.10e-07")],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_number_that_is_not_finite_is_said_in_words() -> None:
    assert number(math.nan) == "not a number"
    assert number(math.inf) == "∞"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.420 s"), (200, "3 min 20 s"), (3900, "1 h 05 min"), (59.99, "1 min 00 s")]
)
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(12.34, "12.3 s"), (59.9, "1.0 min"), (400, "6.7 min"), (5000, "1.4 h")])
def test_predicted_durations_are_rough(seconds: float, text: str) -> None:
    assert rough_duration(seconds) == text


def test_a_measurement_shows_its_spread_as_wide_as_it_is() -> None:
    assert reading_text(Measured(12.3, 5, 11.9, 12.7), "tok/s") == "12.3 ± 0.4 tok/s"
    assert reading_text(Measured(12.3, 5, 8.0, 12.7), "tok/s") == "12.3 (8.0 to 12.7) tok/s"
    assert reading_text(Measured(0.9786, 9, 0.9752, 0.9820), "share") == "97.9 ± 0.3 %"
    assert reading_text(Measured(1.011, 9, 1.008, 1.014), "x") == "1.011 ± 0.003×"
    assert reading_text(Measured(3 * 1024**2, 5, 2 * 1024**2, 4 * 1024**2), "bytes") == "3.00 ± 1.00 MiB"


def test_a_measurement_without_a_spread_shows_none() -> None:
    assert reading_text(Measured(12.3), "ms") == "12.3 ms"
    assert reading_text(Measured(12.3, 5, 12.3, 12.3), "ms") == "12.3 ms"


def test_what_was_not_measured_says_why_and_shows_no_number() -> None:
    assert reading_text(Unmeasured("no power source"), "mJ") == "— (no power source)"
    assert short_text(Unmeasured("no power source"), "mJ") == short_text(None, "mJ") == "—"


def test_an_estimate_is_marked_as_one() -> None:
    assert reading_text(Estimate(12, "roofline"), "tok/s") == "~12.0 tok/s"


def test_a_limit_is_spelled_as_it_was_written() -> None:
    def line(limit: float, unit: str, at_least: bool = False) -> str:
        reading = Unmeasured("not now")
        return limit_text(VerdictLine("x", unit, ">=" if at_least else "<=", limit, reading, None, "UNKNOWN", ""))

    assert line(1.5 * 1024**3, "bytes") == "≤ 1.5 GiB"
    assert line(1.125 * 1024**3, "bytes") == "≤ 1.125 GiB"
    assert line(int(1.3 * 1024**3), "bytes") == "≤ 1.3 GiB"
    assert line(14318 * 1024**2, "bytes") == "≤ 14.0 GiB", "counted, not written"
    assert line(300_000, "bytes") == "≤ 293 KiB"
    assert line(0.05, "nats") == "≤ 0.05 nats"
    assert line(0.9, "share", at_least=True) == "≥ 90 %"
    assert line(1.055, "x") == "≤ 1.055×"
    assert line(12500, "tok/s", at_least=True) == "≥ 12,500 tok/s"
    assert line(0, "failed checks") == "0 failed"


def test_the_error_is_the_prediction_relative_to_the_measurement() -> None:
    assert error_percent(Estimate(150, "x"), Measured(100)) == pytest.approx(50)
    assert error_percent(Estimate(50, "x"), Measured(100)) == pytest.approx(-50)
    assert error_text(error_percent(Estimate(7, "x"), Measured(7))) == "exact"
    assert error_text(-4.25) == "-4.2 %"
    assert error_text(1234.0) == "+1,234 %"


def test_without_both_figures_there_is_no_error() -> None:
    for prediction, reading in (
        (None, Measured(1)),
        (Unmeasured("unknown"), Measured(1)),
        (Estimate(1, "x"), Unmeasured("no")),
        (Estimate(1, "x"), Measured(0)),
    ):
        assert error_percent(prediction, reading) is None
    assert error_text(None) == "—"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99987, "0.99987"),
        (0.9931, "0.9931"),
        (0.85, "0.850"),
        (1.0, "1.0000000"),
        (0.98999, "0.990"),
        (-0.2, "-0.200"),
    ],
)
def test_a_cosine_has_the_digits_that_its_distance_from_one_needs(value: float, text: str) -> None:
    assert human(value, "cosine") == text


def test_a_cosine_and_its_limit_spell_no_unit() -> None:
    line = VerdictLine("output cosine", "cosine", ">=", 0.99, Measured(0.9987), None, "PASS", "")
    assert limit_text(line) == "≥ 0.99"
    assert reading_text(Measured(0.99874, 9, 0.99861, 0.99885), "cosine") == "0.9987 ± 0.0001"
    assert reading_text(Measured(0.9182), "score") == "0.9182"


def test_yes_and_no_are_words() -> None:
    line = VerdictLine("backend", "as asked for", ">=", 1.0, Measured(0.0), None, "FAIL", "cuda was asked for, cpu ran")
    assert limit_text(line) == "as asked for"
    assert short_text(line.reading, line.unit) == "another one"
    assert short_text(Measured(1.0), line.unit) == "as asked for"


def test_a_list_never_leaves_out_one_alone() -> None:
    assert listed(["a", "b", "c"], most=3, more="files") == "a, b, c"
    assert listed(["a", "b", "c", "d"], most=3, more="files") == "a, b, c, d"
    assert listed(["a", "b", "c", "d", "e"], most=3, more="files") == "a, b, c and 2 more files"
    assert listed([], most=3, more="files") == ""


def test_nothing_that_steers_a_terminal_survives() -> None:
    assert "\x1b" not in plain("\x1b[31mred") and "\u202e" not in plain("\u202egnp.exe")
    assert plain("a\nb\tc") == "a b c"
    plain("broken \udcff name").encode("utf-8")


def test_ordinary_words_of_any_script_survive() -> None:
    for text in ("Llama-3.2 1B (Ünïcode)", "模型", "می\u200cخواهم", "👩\u200d💻"):
        assert plain(text) == text


def test_every_unit_of_the_budget_has_a_form() -> None:
    units = {"bytes": "1 B", "s": "1.00 s", "share": "100.0 %", "x": "1.00×", "failed checks": "1 failed", "": "1.00"}
    assert {unit: human(1, unit) for unit in units} == units
