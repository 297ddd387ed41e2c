from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from edgeshrink.core.quality import Quality
from edgeshrink.core.report import Report
from edgeshrink.report.format import limit_text, line_label, reading_text
from edgeshrink.report.html import report_to_html

from .sample import NO_POWER, NOT_HERE, TOO_FEW, sample_failed_report, sample_profile_report, sample_report
from .sample_formats import sample_apart_report, sample_executorch_report, sample_network_report, sample_onnx_report

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='x'>&amp;</style></title>{{ 7*7 }}"


class Page(HTMLParser):
    """Reads a page: every tag closed in order, all attributes, the text without style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def poisoned(value: Any, stays: Collection[str] = ()) -> Any:
    """The value with every free text in it replaced by a hostile one; words of closed sets stay."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"kind", "outcome", "comparison", "unit", "type", "transform", *stays}
        new = {f.name: poisoned(getattr(value, f.name), stays) for f in fields(value) if f.name not in kept}
        return replace(value, **new)
    if isinstance(value, tuple):
        return tuple(poisoned(item, stays) for item in value)
    return HOSTILE if isinstance(value, str) else value


EVERY = [
    sample_report(),
    sample_profile_report(),
    sample_failed_report(),
    sample_onnx_report(),
    sample_apart_report(),
    sample_network_report(),
]


@pytest.mark.parametrize("report", EVERY)
def test_every_line_of_the_verdict_is_on_the_page(report: Report) -> None:
    page = Page(report_to_html(report))
    assert page.open == []
    for line in report.verdict.lines:
        assert line_label(line.name) in page.text
        assert limit_text(line) in page.text
        assert line.why in page.text
    outcomes = [
        attributes.get("class") for tag, attributes in page.tags if tag == "td" and attributes.get("data-label") is None
    ]
    said = [(classes or "").split()[-1] for classes in outcomes if "outcome" in (classes or "")]
    assert said[: len(report.verdict.lines)] == [line.outcome for line in report.verdict.lines]


def test_the_verdict_stands_before_everything_else() -> None:
    text = report_to_html(sample_failed_report())
    headings = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert headings[0].startswith("Verdict")
    assert text.index("badge FAIL") < text.index("<h1")


def test_the_standard_of_reporting_is_kept() -> None:
    report = sample_report()
    text = Page(report_to_html(report)).text
    assert report.source and isinstance(report.quality, Quality) and report.compression and report.measurements
    for fact in (
        report.source.digest,
        report.artifact.sha256,
        report.compression.method,
        report.compression.imatrix,
        report.compression.calibration_text,
        report.compression.calibration_sha256,
        report.quality.text,
        report.quality.text_sha256,
        report.quality.reference,
        report.measurements.host.cpu,
        report.measurements.runtime.build_id,
        *report.measurements.runtime.cpu_features,
        report.measurements.taken_at,
        *report.traded_away,
        *report.notes,
        *report.measurements.notes,
        *(step.id for step in report.steps),
        *(rung.move for rung in report.ladder),
        *(check.detail for check in report.quality.checks),
        *(candidate.scheme for candidate in report.candidates),
    ):
        assert fact in text, fact
    for reading, unit in (
        (report.quality.mean_kl, "nats"),
        (report.quality.same_top_share, "share"),
        (report.measurements.decode_tok_s, "tok/s"),
        (report.measurements.load_cold_ms, "ms"),
        (report.measurements.memory.peak_pss_bytes, "bytes"),
        (report.measurements.before.load_1min, ""),
        (report.measurements.after.temperature_c, "°C"),
    ):
        assert reading_text(reading, unit) in text


def test_the_ledger_lists_every_tensor_with_its_reason_and_adds_up() -> None:
    report = sample_report()
    source = report_to_html(report)
    text = Page(source).text
    for tensor in report.artifact.tensors:
        assert (
            f"{tensor.name} {' × '.join(map(str, tensor.shape))} {tensor.type} {tensor.nbytes:,} {tensor.why}" in text
        )
    percents = [float(share) for share in re.findall(r"iB, ([0-9.]+) %</span>", source)]
    assert len(percents) == len({tensor.type for tensor in report.artifact.tensors})
    assert sum(percents) == pytest.approx(100, abs=0.2)
    assert percents == sorted(percents, reverse=True)


def test_reasons_stand_where_nothing_was_measured() -> None:
    text = Page(report_to_html(sample_report())).text
    assert NO_POWER in text and TOO_FEW in text
    assert NOT_HERE in Page(report_to_html(sample_profile_report())).text


@pytest.mark.parametrize("report", EVERY)
def test_the_page_asks_for_nothing(report: Report) -> None:
    source = report_to_html(report)
    page = Page(source)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", source)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "img", "object", "embed", "form", "base", "video"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "data:,") == "data:,"
    (policy,) = [a for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert (policy["content"] or "").startswith("default-src 'none'")


@pytest.mark.parametrize("clean", [sample_failed_report(), sample_executorch_report(), sample_network_report()])
def test_no_text_from_outside_becomes_markup(clean: Report) -> None:
    source = report_to_html(poisoned(clean))
    page = Page(source)
    plain_tags = {tag for tag, _ in Page(report_to_html(clean)).tags}
    assert {tag for tag, _ in page.tags} <= plain_tags
    assert "<script" not in source
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert html.escape("<script>alert(1)</script>", quote=False) in source
    assert "{{ 7*7 }}" in page.text, "a text is no template"


def test_equal_reports_give_equal_pages() -> None:
    assert report_to_html(sample_report()) == report_to_html(sample_report())


def test_pictures_and_tables_have_words_for_who_cannot_see_them() -> None:
    page = Page(report_to_html(sample_report()))
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 5
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert set((attributes["aria-labelledby"] or "").split()) <= ids
    regions = [attributes for _, attributes in page.tags if attributes.get("role") == "region"]
    assert regions and all(a.get("aria-label") and a.get("tabindex") == "0" for a in regions)
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert all(attributes.get("scope") in ("col", "row") for attributes in heads)
    assert ("html", {"lang": "en"}) in page.tags


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme: str) -> None:
    """At least 4.5 to 1 for every colour that text takes, on every ground it stands on (WCAG 2.2, 1.4.3)."""
    light, _, dark = report_to_html(sample_report()).partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark.split("* {")[0]))
    grounds = [("page", ("ink", "soft", "data")), ("card", ("ink", "soft", "pass", "fail", "unknown", "data"))]
    grounds += [(f"{word}-soft", (word,)) for word in ("pass", "fail", "unknown")]
    for ground, inks in grounds:
        for ink in inks:
            assert _contrast(colours[ground], colours[ink]) >= 4.5, (ground, ink)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
