"""Adapters in the terminal, on the page and on the card: listed, sized, judged, harmless whatever they are called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgeshrink.core.adapter import BuiltAdapter
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.core.verdict import VerdictLine
from edgeshrink.report.card import model_card
from edgeshrink.report.html import report_to_html
from edgeshrink.report.json import report_from_json, report_to_json
from edgeshrink.report.terminal import render_report

from .sample import sample_report
from .test_terminal import shown, words

HOSTILE = "<b>x</b>|`y`\x1b[31m\u202e"


def adapter(name: str, **changes: object) -> BuiltAdapter:
    one = BuiltAdapter(
        name=name,
        file=f"adapters/{name}.gguf",
        nbytes=102_304,
        sha256="ab" * 32,
        rank=3,
        share_of_base=0.0308,
        mean_kl=Measured(0.0246, n=4080, low=0.02, high=0.03),
        outcome="PASS",
        parameters=48_640,
        alpha=6.0,
        targets=("q_proj", "down_proj"),
        scheme="Q4_K_M",
        license="apache-2.0",
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def with_adapters(*adapters: BuiltAdapter) -> Report:
    report = sample_report()
    lines = tuple(
        VerdictLine(f"with the adapter {one.name}", "failed checks", "<=", 0, Measured(0), None, one.outcome, "because")
        for one in adapters
    )
    return replace(report, adapters=adapters, verdict=replace(report.verdict, lines=(*report.verdict.lines, *lines)))


FAILED = adapter("desk", outcome="FAIL", mean_kl=Unmeasured("it does not fit"), notes=("trained on Q3_K_M",))


@pytest.fixture(scope="module")
def report() -> Report:
    return with_adapters(adapter("billing"), FAILED)


def test_the_terminal_lists_and_sizes_them_within_80_columns(report: Report) -> None:
    text = shown(render_report(report))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    assert "2 adapters of this base, 200 KiB together" in words(text)
    rows = [line.split() for line in text.splitlines()]
    assert ["billing", "99.9", "KiB", "3.1", "%", "3", "0.0246", "nats", "✓", "PASS"] in rows
    assert ["desk", "99.9", "KiB", "3.1", "%", "3", "—", "✗", "FAIL"] in rows
    assert "desk: because" in words(text) and "trained on Q3_K_M" in words(text)


def test_the_page_and_the_card_have_a_section_for_them(report: Report) -> None:
    page, card = report_to_html(report), model_card(report)
    assert '<h2 id="adapters">' in page and "48,640 numbers, rank 3, alpha 6, of q_proj, down_proj" in page
    assert "## Adapters" in card and "`adapters/billing.gguf`" in card and "license apache-2.0" in card
    table = [line for line in card.splitlines() if line.startswith("| `adapters/")]
    assert [line.count("|") for line in table] == [7, 7]


def test_a_report_without_adapters_has_no_such_section() -> None:
    plain = sample_report()
    assert 'id="adapters"' not in report_to_html(plain) and "## Adapters" not in model_card(plain)
    assert "of this base" not in shown(render_report(plain))


def test_a_hostile_name_starts_no_markup() -> None:
    report = with_adapters(adapter(HOSTILE, notes=(HOSTILE,), license=HOSTILE))
    page, card, text = report_to_html(report), model_card(report), shown(render_report(report))
    assert "<b>x</b>" not in page and "\x1b" not in page + card + text and "\u202e" not in page + card + text
    outside = re.sub(r"(?<!\\)`[^`]*`", "", card)  # inside of code it is text
    assert "<b>x" not in outside and r"\<b\>x" in outside


def test_they_read_back_from_json(report: Report) -> None:
    assert report_from_json(report_to_json(report)).adapters == report.adapters
