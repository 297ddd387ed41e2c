from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from edgeshrink.core.report import Report
from edgeshrink.report.format import limit_text, line_label, short_text
from edgeshrink.report.terminal import render_plan, render_report

from .sample import (
    NO_POWER,
    NO_PREFILL,
    NOT_HERE,
    sample_candidates,
    sample_failed_report,
    sample_profile_report,
    sample_report,
)


def shown(renderable: RenderableType, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(renderable)
    return stream.getvalue()


def words(text: str) -> str:
    """The text without the line breaks that its width made."""
    return " ".join(text.split())


@pytest.mark.parametrize("report", [sample_report(), sample_profile_report(), sample_failed_report()])
def test_every_line_of_the_verdict_stands_whole_at_80_columns(report: Report) -> None:
    text = shown(render_report(report))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for line in report.verdict.lines:
        row = next(
            row for row in text.splitlines() if row.startswith(line_label(line.name)[:10]) and limit_text(line) in row
        )
        assert short_text(line.reading, line.unit) in row
        assert short_text(line.prediction, line.unit) in row
        assert line.outcome in row


def test_the_outcome_is_a_word_and_not_only_a_colour() -> None:
    assert "✗ FAIL  edgeshrink/_demo" in shown(render_report(sample_failed_report()))
    assert "? UNKNOWN  edgeshrink/_demo" in shown(render_report(sample_report()))


def test_what_was_not_measured_says_why() -> None:
    assert NO_POWER in words(shown(render_report(sample_report())))
    text = words(shown(render_report(sample_profile_report())))
    assert text.count(NOT_HERE) == 1, "one reason for five lines is said once"


def test_the_failed_check_is_named() -> None:
    assert "stop ids failed: source has 2 and 7, the file has 2" in words(shown(render_report(sample_failed_report())))


def test_the_ladder_shows_each_rung_and_what_it_led_to() -> None:
    report = sample_report()
    text = words(shown(render_report(report), 200))
    for rung in report.ladder:
        assert rung.scheme in text and rung.move in text
    assert "ladder" not in shown(render_report(replace(report, ladder=report.ladder[:1])))


def test_the_folder_and_the_time_of_measuring_are_shown() -> None:
    report = sample_report()
    text = words(shown(render_report(report)))
    assert str(report.folder) in text
    assert "2026-11-21T11:59:20Z" in text


def test_markup_and_escapes_in_names_are_not_obeyed() -> None:
    report = sample_report()
    assert report.source is not None
    hostile = replace(report, source=replace(report.source, given="[red]x[/red]\x1b[2J"))
    text = shown(render_report(hostile))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text


def test_a_plan_shows_every_candidate_whole_at_80_columns() -> None:
    for parameters in (4_720_896, 1_235_814_400, 70_000_000_000):
        candidates = sample_candidates(parameters)
        text = shown(render_plan(candidates, title="Plan for x", notes=("mind the gap",)))
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= 80
        for candidate in candidates:
            row = next(row for row in text.splitlines() if row.startswith(candidate.scheme + " "))
            size = short_text(candidate.predictions.artifact_bytes, "bytes").removeprefix("~")
            assert size in row
            assert row.split()[-1] == {True: "yes", False: "no", None: "?"}[candidate.fits]


def test_a_plan_says_why_something_does_not_fit_or_has_no_figure() -> None:
    text = words(shown(render_plan(sample_candidates(), notes=("mind the gap",))))
    assert "Q8_0: file of 4.9 MiB > 4.0 MiB" in text
    assert NO_PREFILL in text
    assert "mind the gap" in text
