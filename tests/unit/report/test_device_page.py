"""Device sessions on the page: sections, charts, and the page whole in a real browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from edgeshrink.core.measurement import Measurements, Sustained, SustainedPoint
from edgeshrink.core.power import PowerRecord, PowerSample
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.report import charts
from edgeshrink.report.charts.svg import Figure
from edgeshrink.report.format import reading_text
from edgeshrink.report.html import report_to_html

from .sample import sample_report
from .sample_device import (
    CHARGING,
    GIB,
    PIXEL,
    THROTTLED,
    UNPLUGGED,
    sample_elsewhere_report,
    sample_emulated_report,
    sample_jetson_report,
    sample_modelled_report,
    sample_phone_report,
)
from .test_charts import drawn, words
from .test_device_terminal import EMULATED, hostile, seen_of
from .test_html import Page, poisoned
from .test_html_in_browser import browser, opened

__all__ = ["browser"]
EVERY = [sample_phone_report(), sample_jetson_report(), sample_emulated_report(), sample_elsewhere_report()]


def power_of(report: Report) -> PowerRecord:
    power = seen_of(report).power
    assert power is not None
    return power


def paths(root: ET.Element, class_: str) -> list[list[tuple[float, float]]]:
    """The points of every line of that class."""
    found = []
    for node in root.iter("path"):
        if class_ in node.attrib["class"].split():
            steps = node.attrib["d"].replace("M", "L").rstrip("Z").split("L")[1:]
            found.append([(float(x), float(y)) for x, y in (step.split() for step in steps)])
    return found


@pytest.mark.parametrize("report", EVERY)
def test_the_page_of_a_session_is_well_formed_and_asks_for_nothing(report: Report) -> None:
    source = report_to_html(report)
    page = Page(source)
    assert page.open == []
    assert "http" not in source.replace("http-equiv", "")
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe"}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_page_says_where_it_ran_and_what_the_device_is() -> None:
    text = Page(report_to_html(sample_phone_report())).text
    assert "Measured on Pixel 8 over adb:37201FDJH000AB, Android 14, 9 cores, 7.42 GiB RAM." in text
    for fact in (*PIXEL.cpu_features, *PIXEL.unread, PIXEL.kernel, PIXEL.id, "Discharging, 81 %", "BIG 41.0 °C"):
        assert fact in text, fact
    assert "State of the device, before and after" in text and "State of the host" not in text
    assert "is not this machine" not in text and "That is not this machine" not in text
    assert "The session on the device" not in Page(report_to_html(sample_report())).text


def test_every_figure_of_the_session_is_on_the_page() -> None:
    report = sample_phone_report()
    seen, power = seen_of(report), power_of(report)
    text = Page(report_to_html(report)).text
    for reading, unit in (
        (seen.memory.fit_bytes, "bytes"),
        (seen.memory.major_faults, "major faults"),
        (seen.energy_mj_per_token, "mJ"),
        (power.gross_mj_per_token, "mJ"),
        (power.decode_w, "W"),
        (power.baseline_w, "W"),
        *((point.decode_tok_s, "tok/s") for point in seen.decode_points),
        *((point.inter_token_p99_ms, "ms") for point in seen.decode_points),
    ):
        assert reading_text(reading, unit) in text
    assert "inferred: whole device, from the battery" in text
    assert THROTTLED in text and "48 of 48 greedy ids as on this host" in text


def test_what_to_beware_of_stands_above_the_verdict() -> None:
    emulated = report_to_html(sample_emulated_report())
    top = emulated[: emulated.index('id="verdict"')]
    assert UNPLUGGED in top and EMULATED[1:].replace("'", "&#39;") in top
    phone = report_to_html(sample_phone_report())
    assert "Paging: it did not fit: 214 pages" in phone[: phone.index('id="verdict"')]
    other = Page(report_to_html(sample_elsewhere_report())).text
    assert other.index("This is not Google Pixel 8") < other.index("Verdict, line by line")
    jetson = report_to_html(sample_jetson_report())
    assert 'class="apart"' not in jetson


def test_power_without_a_figure_says_why() -> None:
    text = Page(report_to_html(sample_emulated_report())).text
    assert f"not measured: {CHARGING}" in text
    assert "Power over time" not in text


def test_modelled_power_is_marked_at_the_figure() -> None:
    text = Page(report_to_html(sample_modelled_report())).text
    assert "190 mJ modelled, above rest" in text
    assert "190 mJ measured, above rest" in Page(report_to_html(sample_jetson_report())).text


def test_power_of_a_session_on_this_host_has_its_source_on_the_page() -> None:
    report = sample_report()
    with_power = replace(report, measurements=replace(seen_of(report), power=power_of(sample_jetson_report())))
    text = Page(report_to_html(with_power)).text
    assert "measured: whole module, VDD_IN (ina3221)" in text and "Power over time" in text


def test_no_text_of_a_device_becomes_markup() -> None:
    clean = sample_phone_report()
    source = report_to_html(poisoned(clean))
    assert {tag for tag, _ in Page(source).tags} <= {tag for tag, _ in Page(report_to_html(clean)).tags}
    assert "<script" not in source
    seen = seen_of(clean)
    page = report_to_html(replace(clean, measurements=replace(seen, device=hostile(PIXEL), partial="\x1b[2J")))
    assert not set(page) & {"\x1b", "\x07", "\u202e"}


def test_a_long_decode_has_a_panel_each_for_speed_temperature_and_clock() -> None:
    sustained = seen_of(sample_phone_report()).sustained
    assert sustained is not None
    root = drawn(charts.sustained_chart(sustained))
    assert "tokens per second" in words(root) and "temperature, °C" in words(root) and "clock, MHz" in words(root)
    (speed,), (warm,), (clock,) = (paths(root, class_) for class_ in ("curve", "warm", "clock"))
    assert speed[-1][1] > speed[0][1] + 20, "slower is lower"
    assert warm[-1][1] < warm[0][1], "hotter is higher"
    assert max(y for _, y in speed) < min(y for _, y in warm) < min(y for _, y in clock), "no panel covers another"
    bare = replace(
        sustained, points=tuple(replace(p, temperature_c=None, frequency_mhz=None) for p in sustained.points)
    )
    root = drawn(charts.sustained_chart(bare))
    assert not paths(root, "warm") and not paths(root, "clock") and paths(root, "curve")


def test_speed_begins_at_zero_so_that_a_fall_looks_as_large_as_it_is() -> None:
    points = tuple(SustainedPoint(float(at), 10.0 if at < 50 else 5.0, None, None) for at in range(100))
    root = drawn(charts.sustained_chart(Sustained(points, "")))
    ((first, *_, last),) = paths(root, "curve")
    zero = max(float(node.attrib["y1"]) for node in root.iter("line") if node.attrib["class"] == "grid")
    assert (zero - first[1]) == pytest.approx(2 * (zero - last[1]), rel=0.02)


@pytest.mark.parametrize(
    "points", [(), (SustainedPoint(1.0, 5.0, None, None),), (SustainedPoint(1.0, 5.0, None, None),) * 2]
)
def test_a_decode_that_was_too_short_is_said_to_be_so(points: tuple[SustainedPoint, ...]) -> None:
    figure = charts.sustained_chart(Sustained(points, ""))
    assert figure.svg is None and "too short" in figure.caption


def test_a_very_long_decode_is_thinned() -> None:
    points = tuple(SustainedPoint(float(at), 9.0 + at % 2, 40.0, None) for at in range(36_000))
    root = drawn(charts.sustained_chart(Sustained(points, "")))
    assert len(paths(root, "curve")[0]) <= 240


def test_power_shows_its_levels_and_shades_what_the_energy_is_of() -> None:
    power = power_of(sample_phone_report())
    figure = charts.power_chart(power)
    root = drawn(figure)
    assert "decode 5.45 W" in words(root) and "at rest 1.31 W" in words(root)
    shaded = [node for node in root.iter("rect") if "window" in node.attrib["class"]]
    assert len(shaded) == len(power.decodes) + 1
    assert "Shaded" in figure.caption and "inferred" in figure.caption
    without = charts.power_chart(replace(power, decodes=(), idle=None))
    assert not list(drawn(without).iter("rect")) and "Shaded" not in without.caption


def test_windows_outside_of_what_was_sampled_stay_inside_of_the_picture() -> None:
    power = replace(power_of(sample_phone_report()), idle=(0.0, 9000.0), decodes=((1.0, 2.0), (8080.0, 99_999.0)))
    drawn(charts.power_chart(power))


def test_no_peak_of_power_is_lost_by_thinning() -> None:
    samples = tuple(PowerSample(float(at), 50.0 if at == 777 else 2.0) for at in range(20_000))
    power = replace(power_of(sample_phone_report()), timeline=samples, decodes=(), idle=None)
    (curve,) = paths(drawn(charts.power_chart(power)), "thin")
    assert len(curve) <= 440
    assert min(y for _, y in curve) < 80 < max(y for _, y in curve)


def test_power_that_was_sampled_once_is_not_drawn() -> None:
    power = power_of(sample_phone_report())
    assert charts.power_chart(replace(power, timeline=power.timeline[:1])).svg is None


def bars(figure: Figure) -> list[tuple[str, float]]:
    return [
        (node.attrib["class"], float(node.attrib["width"]))
        for node in drawn(figure).iter("rect")
        if node.attrib["class"] != "bound"
    ]


def with_memory(**changes: object) -> Report:
    report = sample_phone_report()
    seen: Measurements = seen_of(report)
    return replace(report, measurements=replace(seen, memory=replace(seen.memory, **changes)))  # type: ignore[arg-type]


def test_what_must_fit_is_drawn_in_its_parts_against_the_budget() -> None:
    report = sample_phone_report()
    figure = charts.fit_chart(report)
    root = drawn(figure)
    assert "121 MiB + 763 MiB = 884 MiB" in words(root) and "budget 3 GiB" in words(root)
    marks = [node for node in root.iter("rect") if node.attrib["class"] == "bound"]
    assert len(marks) == 2
    (_, anon), (_, weights), *_ = bars(figure)
    assert weights / anon == pytest.approx(763 / 121, rel=0.01)
    at = float(marks[0].attrib["x"]) + 1.5
    assert (anon + weights) / (at - 6) == pytest.approx(884 / 3072, rel=0.01)
    assert "Paging: it did not fit" in figure.caption


def test_the_gpus_share_is_a_part_of_what_must_fit() -> None:
    memory = seen_of(sample_phone_report()).memory
    assert isinstance(memory.fit_bytes, Measured)
    report = with_memory(gpu_bytes=Measured(float(GIB)), fit_bytes=Measured(memory.fit_bytes.value + GIB))
    figure = charts.fit_chart(report)
    assert [class_ for class_, _ in bars(figure)][:3] == ["area-anon", "area-file", "area-gpu"]
    assert "121 MiB + 763 MiB + 1.00 GiB = 1.86 GiB" in words(drawn(figure))
    assert "the GPU's share" in figure.caption


def test_a_model_beyond_its_budget_reaches_past_the_mark() -> None:
    report = with_memory(fit_bytes=Measured(5.0 * GIB), peak_rss_bytes=Measured(2.0 * GIB))
    root = drawn(charts.fit_chart(report))
    at = min(float(node.attrib["x"]) for node in root.iter("rect") if node.attrib["class"] == "bound")
    first = next(node for node in root.iter("rect") if node.attrib["class"] == "area-file")
    assert float(first.attrib["x"]) + float(first.attrib["width"]) > at + 3


def test_without_a_budget_or_a_figure_the_chart_says_what_it_can() -> None:
    report = sample_phone_report()
    free = charts.fit_chart(replace(report, verdict=replace(report.verdict, lines=())))
    assert "budget" not in words(drawn(free))
    assert charts.fit_chart(with_memory(fit_bytes=Unmeasured("not asked"))).svg is None
    assert charts.fit_chart(replace(report, measurements=None)).svg is None


def test_a_devices_page_is_whole_in_a_browser_and_the_console_is_silent(browser: str, tmp_path: Path) -> None:
    page = report_to_html(sample_phone_report())
    dom, console = opened(browser, page, tmp_path)
    assert console == []
    assert dom.count("<svg") == 6
    assert dom.count("<rect") == page.count("<rect") and dom.count("<dd>") == page.count("<dd>")
