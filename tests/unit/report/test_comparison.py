"""`build --format all`: the formats side by side, on the terminal, on a page, as JSON."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import fields, replace

import pytest
from sample_behaviour import sample_behaviour, sample_calm_behaviour

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Comparison, FormatOutcome, Report
from edgeshrink.errors import DataError
from edgeshrink.report.charts import formats_chart
from edgeshrink.report.comparison import names, notes
from edgeshrink.report.comparison_html import comparison_to_html
from edgeshrink.report.comparison_terminal import render_comparison
from edgeshrink.report.format import human_bytes, short_text
from edgeshrink.report.json import comparison_from_json, comparison_schema, comparison_to_json

from .sample_formats import (
    sample_apart_report,
    sample_comparison,
    sample_executorch_report,
    sample_full_comparison,
    sample_network_comparison,
    sample_onnx_report,
)
from .test_html import HOSTILE, Page, poisoned
from .test_json import _follows
from .test_terminal import shown, words

ALL = [sample_comparison(), sample_full_comparison(), sample_network_comparison()]
IDS = ["one failed", "all built", "network"]


def nothing_built() -> Comparison:
    outcomes = tuple(FormatOutcome(name, None, f"{name} is out of order") for name in ("gguf", "onnx"))
    return replace(sample_comparison(), outcomes=outcomes, best=None, why="No format was built.")


def test_each_format_is_a_row_with_its_own_figures() -> None:
    text = shown(render_comparison(sample_full_comparison()))
    rows = {line.split()[0]: line for line in text.replace("★ ", "  ").splitlines() if line.startswith("  ")}
    for outcome in sample_full_comparison().outcomes:
        report = outcome.report
        assert report is not None and isinstance(report.quality, Quality) and report.measurements is not None
        row = rows[outcome.format]
        for cell in (
            report.artifact.scheme,
            human_bytes(report.artifact.nbytes),
            short_text(report.quality.mean_kl, ""),
            short_text(report.quality.same_top_share, "share"),
            short_text(report.measurements.decode_tok_s, ""),
            short_text(report.measurements.prefill[2].ttft_p95_ms, ""),
            short_text(report.measurements.memory.peak_rss_bytes, "bytes"),
            report.verdict.outcome,
        ):
            assert cell in row, (outcome.format, cell)


@pytest.mark.parametrize("comparison", [*ALL, nothing_built()], ids=[*IDS, "nothing built"])
def test_nothing_is_cut_at_80_columns(comparison: Comparison) -> None:
    text = shown(render_comparison(comparison))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text


def test_long_names_of_schemes_fit_80_columns() -> None:
    report = sample_network_comparison().outcomes[1].report
    assert report is not None
    longer = replace(report, artifact=replace(report.artifact, scheme="int8-dynamic"))
    comparison = replace(sample_network_comparison(), outcomes=(FormatOutcome("executorch", longer, ""),))
    text = shown(render_comparison(comparison))
    assert "int8-dynamic" in text and max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "said", [lambda c: words(shown(render_comparison(c))), lambda c: Page(comparison_to_html(c)).text]
)
def test_the_best_is_marked_with_its_why_and_the_others_with_what_speaks_against_them(said: object) -> None:
    text = said(sample_comparison())  # type: ignore[operator]
    assert "★" in text and "Best: gguf" in text and "The only one that fails no line." in text
    assert "Artifact size: 4.16 MiB, the budget says ≤ 4 MiB" in text
    assert "torch.export gave up: data-dependent branch in layer 3" in text, "one that failed loses nothing"
    assert "time to the first token of a prompt of 256 tokens" in text
    assert "gguf Q4_K_M 27.5 MiB, onnx int4 118 MiB" in text, "of the peak before the file was opened"


@pytest.mark.parametrize(
    "said", [lambda c: words(shown(render_comparison(c))), lambda c: Page(comparison_to_html(c)).text]
)
def test_without_a_best_format_none_is_marked(said: object) -> None:
    text = said(nothing_built())  # type: ignore[operator]
    assert "★" not in text and "No best format" in text
    assert "gguf is out of order" in text and "onnx is out of order" in text


def test_a_network_is_compared_by_cosine_and_time_of_one_run() -> None:
    for text in (
        words(shown(render_comparison(sample_network_comparison()))),
        Page(comparison_to_html(sample_network_comparison())).text,
    ):
        assert "0.9987" in text and "0.99921" in text and "pixel_values 8x3x32x32" in text
        assert "tok/s" not in text and "TTFT" not in text and "KL" not in text


def test_formats_are_timed_at_the_prompt_that_the_budget_judges() -> None:
    """It is not the longest one, and both have it."""
    text = shown(render_comparison(sample_comparison()))
    report = sample_onnx_report()
    assert isinstance(report.measurements, Measurements)
    times = {point.prompt_tokens: short_text(point.ttft_p95_ms, "") for point in report.measurements.prefill}
    assert times[256] in text and times[480] not in text


def test_without_a_common_prompt_there_is_no_first_token_and_a_reason() -> None:
    report = sample_onnx_report()
    assert report.measurements is not None
    alone = tuple(replace(point, prompt_tokens=point.prompt_tokens + 1) for point in report.measurements.prefill)
    other = replace(report, measurements=replace(report.measurements, prefill=alone))
    comparison = replace(
        sample_comparison(), outcomes=(*sample_comparison().outcomes[:1], FormatOutcome("onnx", other, ""))
    )
    assert "no prompt length was timed in every format" in words(shown(render_comparison(comparison)))


def test_what_was_not_run_here_says_so_in_its_row() -> None:
    comparison = replace(sample_comparison(), outcomes=(FormatOutcome("executorch", sample_apart_report(), ""),))
    text = words(shown(render_comparison(replace(comparison, best=None))))
    assert "executorch: lowered ahead of time for coreml and inspected; not run on this machine" in text
    assert "UNKNOWN" in text
    assert "not run on this machine" in Page(comparison_to_html(comparison)).text


def test_markup_and_escapes_are_not_obeyed() -> None:
    bad = "[red]x[/red]\x1b[2J"
    comparison = replace(sample_comparison(), model=bad, why=bad, outcomes=(FormatOutcome(bad, None, bad),), best=bad)
    text = shown(render_comparison(comparison))
    assert "[red]x[/red]" in text and "\x1b" not in text


def test_each_format_links_to_its_own_report_and_to_nothing_else() -> None:
    page = Page(comparison_to_html(sample_full_comparison()))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["gguf/report.html", "onnx/report.html", "executorch/report.html"]
    failed = Page(comparison_to_html(sample_comparison()))
    assert [attributes["href"] for tag, attributes in failed.tags if tag == "a"] == links[:2]


def test_the_page_asks_for_nothing() -> None:
    source = comparison_to_html(sample_full_comparison())
    page = Page(source)
    assert page.open == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import", source)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "img", "object", "embed", "form", "base", "video"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    (policy,) = [a for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_no_text_from_outside_becomes_markup() -> None:
    source = comparison_to_html(poisoned(sample_comparison()))
    plain_tags = {tag for tag, _ in Page(comparison_to_html(sample_comparison())).tags}
    assert {tag for tag, _ in Page(source).tags} <= plain_tags
    assert "<script" not in source and html.escape("<script>alert(1)</script>", quote=False) in source
    evil = replace(sample_comparison(), outcomes=(replace(sample_comparison().outcomes[0], format=f"../..{HOSTILE}"),))
    (link,) = [a["href"] for tag, a in Page(comparison_to_html(evil)).tags if tag == "a"]
    assert link is not None and link.count("/") == 1, "a name cannot lead out of the folder"


@pytest.mark.parametrize("comparison", ALL, ids=IDS)
def test_the_chart_has_a_drawing_for_size_quality_speed_and_memory_with_words(comparison: Comparison) -> None:
    figure = formats_chart(comparison)
    assert figure.svg is not None
    panels = ET.fromstring(str(figure.svg))
    drawings = list(panels)
    assert len(drawings) == 4
    ids = [node.attrib["id"] for node in panels.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids)) == 8
    for drawing in drawings:
        width, height = (float(part) for part in drawing.attrib["viewBox"].split()[2:])
        assert drawing.attrib["role"] == "img"
        for node in drawing.iter("rect"):
            assert float(node.attrib["x"]) >= 0 and float(node.attrib["x"]) + float(node.attrib["width"]) <= width
            assert float(node.attrib["y"]) + float(node.attrib["height"]) <= height
        desc = drawing.findtext("desc") or ""
        assert all(outcome.format in desc for outcome in comparison.outcomes)


def test_bars_are_as_long_as_their_figures() -> None:
    (size, _, _, memory) = ET.fromstring(str(formats_chart(sample_full_comparison()).svg))
    reports = [outcome.report for outcome in sample_full_comparison().outcomes]
    for drawing, values in (
        (size, [report.artifact.nbytes for report in reports if report]),
        (memory, [_peak(report) for report in reports if report]),
    ):
        bars = [float(node.attrib["width"]) for node in drawing.iter("rect") if node.attrib["class"] == "mark data"]
        assert [bar / bars[0] for bar in bars] == pytest.approx([value / values[0] for value in values], rel=1e-3)
    before = [float(node.attrib["width"]) for node in memory.iter("rect") if node.attrib["class"] == "mark before"]
    assert before[0] / bars[0] == pytest.approx(27.5 * 2**20 / values[0], rel=1e-2)


def test_a_cosines_bar_is_its_distance_from_one() -> None:
    _, quality, _, _ = ET.fromstring(str(formats_chart(sample_network_comparison()).svg))
    bars = [float(node.attrib["width"]) for node in quality.iter("rect") if node.attrib["class"] == "mark data"]
    assert bars[1] / bars[0] == pytest.approx((1 - 0.99921) / (1 - 0.99874), rel=1e-2)


def test_equal_figures_of_zero_and_figures_that_are_missing_are_drawn_too() -> None:
    report = sample_executorch_report()
    assert isinstance(report.quality, Quality) and report.measurements is not None
    flat = replace(
        report,
        quality=replace(report.quality, mean_kl=Measured(0.0, 10)),
        measurements=replace(report.measurements, decode_tok_s=Unmeasured("too short")),
    )
    for other in (flat, sample_apart_report()):
        comparison = replace(sample_comparison(), outcomes=(FormatOutcome("executorch", other, ""),))
        figure = formats_chart(comparison)
        assert figure.svg is not None and "not measured" in figure.svg


def test_nothing_built_is_no_picture() -> None:
    assert formats_chart(nothing_built()).svg is None


@pytest.mark.parametrize("comparison", [*ALL, nothing_built()], ids=[*IDS, "nothing built"])
def test_a_comparison_reads_back_as_it_was(comparison: Comparison) -> None:
    text = comparison_to_json(comparison)
    outcomes = tuple(
        replace(outcome, report=outcome.report and replace(outcome.report, folder=None))
        for outcome in comparison.outcomes
    )
    assert comparison_from_json(text) == replace(comparison, folder=None, outcomes=outcomes)
    assert '"folder"' not in text
    assert comparison_to_json(comparison_from_json(text)) == text


@pytest.mark.parametrize("comparison", ALL, ids=IDS)
def test_the_schema_describes_what_is_written(comparison: Comparison) -> None:
    schema = comparison_schema()
    data = json.loads(comparison_to_json(comparison))
    assert set(schema["properties"]) == set(data) == {field.name for field in fields(Comparison)} - {"folder"}
    _follows(data, schema, schema["$defs"])


def test_what_is_no_comparison_is_refused_with_the_key() -> None:
    data = json.loads(comparison_to_json(sample_comparison()))
    with pytest.raises(DataError, match="edgeshrink-comparison-99"):
        comparison_from_json(json.dumps({"schema": "edgeshrink-comparison-99"}))
    data["outcomes"][0].pop("error")
    with pytest.raises(DataError, match=r"outcomes\.0\.error"):
        comparison_from_json(json.dumps(data))
    with pytest.raises(DataError, match="not a comparison"):
        comparison_from_json("{")


def _peak(report: Report) -> float:
    assert report.measurements is not None and isinstance(report.measurements.memory.peak_rss_bytes, Measured)
    return report.measurements.memory.peak_rss_bytes.value


def test_what_each_format_lost_stands_beside_it() -> None:
    broken, calm = sample_behaviour(), sample_calm_behaviour()
    comparison = sample_full_comparison()
    first, second, *others = comparison.outcomes
    assert first.report is not None and second.report is not None
    told = replace(
        comparison,
        outcomes=(
            replace(first, report=replace(first.report, behaviour=broken)),
            replace(second, report=replace(second.report, behaviour=calm)),
            *others,
        ),
    )
    (note,) = (note for note in notes(told) if note.startswith("Slices that lost more than noise explains"))
    lost = note.partition("): ")[2].split("; ")
    assert len(lost) == 2
    assert lost[0].startswith(f"{names(told)[0]} {broken.moved[0].name}")
    assert lost[1] == f"{names(told)[1]} none"
    assert note in html.unescape(comparison_to_html(told))
    assert "arithmetic" in shown(render_comparison(told))
    assert not any("Slices" in note for note in notes(comparison))
