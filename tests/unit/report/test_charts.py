from __future__ import annotations

import math
import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from edgeshrink.core.measurement import Measurements
from edgeshrink.core.reading import Estimate, Measured, Unmeasured
from edgeshrink.report import charts
from edgeshrink.report.charts.svg import BOTTOM, HEIGHT, WIDTH, Figure, Scale
from edgeshrink.report.predicted import predicted_and_measured

from .sample import sample_profile_report, sample_report
from .sample_formats import sample_encoder_report, sample_network_report


def measurements() -> Measurements:
    found = sample_report().measurements
    assert found is not None
    return found


def drawn(figure: Figure) -> ET.Element:
    """The chart, parsed as XML, with every coordinate inside of the picture."""
    assert figure.svg is not None, figure.caption
    root = ET.fromstring(str(figure.svg))
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    for node in root.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height)):
            if name in node.attrib:
                assert 0 <= float(node.attrib[name]) <= most, (node.tag, node.attrib)
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", node.attrib.get("d", "")):
            assert 0 <= float(x) <= width and 0 <= float(y) <= height
    return root


def words(root: ET.Element) -> str:
    return " ".join(node.text or "" for node in root.iter("text"))


def test_size_against_quality_shows_what_was_built_as_points_and_the_rest_as_ticks() -> None:
    report = sample_report()
    root = drawn(charts.size_quality_chart(report))
    marks = [node for node in root.iter() if node.attrib.get("class", "").startswith("mark")]
    assert len(marks) == len(report.ladder)
    ticks = [node for node in root.iter("line") if node.attrib.get("class") == "tick"]
    assert len(ticks) == len(report.candidates) - len(report.ladder)
    assert "limit 0.05 nats" in words(root) and "limit 4 MiB" in words(root)


def test_better_is_lower_and_smaller_is_left() -> None:
    report = sample_report()
    root = drawn(charts.size_quality_chart(report))
    names = {
        node.text: (float(node.attrib["x"]), float(node.attrib["y"]))
        for node in root.iter("text")
        if "x" in node.attrib
    }
    assert names["Q4_K_M"][0] > names["Q3_K_M"][0], "more bytes are further right"
    assert names["Q4_K_M"][1] > names["Q3_K_M"][1], "less divergence is further down"


def test_without_quality_the_chart_says_why() -> None:
    report = sample_report()
    ladder = tuple(replace(rung, mean_kl=Unmeasured("the reference needs 9 GiB, 4 are free")) for rung in report.ladder)
    figure = charts.size_quality_chart(replace(report, ladder=ladder))
    assert figure.svg is None
    assert figure.caption == "the reference needs 9 GiB, 4 are free"


@pytest.mark.parametrize("kl", [0.0, 1e-9, 5.0])
def test_a_single_rung_of_any_quality_is_drawn(kl: float) -> None:
    report = sample_report()
    rung = replace(report.ladder[0], mean_kl=Measured(kl, 10, kl - 0.001, kl + 0.001))
    drawn(charts.size_quality_chart(replace(report, ladder=(rung,), candidates=())))


def test_pauses_are_drawn_as_a_rising_curve_with_the_measured_percentiles() -> None:
    figure = charts.inter_token_chart(measurements())
    root = drawn(figure)
    curve = next(node for node in root.iter("path") if node.attrib["class"] == "curve")
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", curve.attrib["d"])]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
    assert "p50" in words(root) and "p95" in words(root)
    assert "p99" not in words(root), "it was not measured"
    assert "640 pauses" in figure.caption


@pytest.mark.parametrize("samples", [(), (2.0,), (2.0, 2.0), (0.0, 0.0), (0.5, 900.0, 3.0), tuple([1.0] * 5000)])
def test_any_number_of_pauses_can_be_drawn_or_is_said_to_be_too_few(samples: tuple[float, ...]) -> None:
    figure = charts.inter_token_chart(replace(measurements(), inter_token_samples_ms=samples))
    if len(samples) < 2:
        assert figure.svg is None and "Too few" in figure.caption
    else:
        drawn(figure)
        assert len(str(figure.svg)) < 60_000


def test_first_tokens_have_one_column_a_prompt_length() -> None:
    seen = measurements()
    root = drawn(charts.ttft_chart(seen))
    assert len(list(root.iter("circle"))) == sum(len(point.ttft_samples_ms) for point in seen.prefill)
    for point in seen.prefill:
        assert str(point.prompt_tokens) in words(root)
    assert charts.ttft_chart(replace(seen, prefill=())).svg is None


def test_a_networks_runs_have_one_column_a_shape() -> None:
    seen = sample_network_report().measurements
    assert seen is not None
    root = drawn(charts.inference_chart(seen))
    assert len(list(root.iter("circle"))) == sum(len(point.samples_ms) for point in seen.inference)
    for point in seen.inference:
        assert point.shapes in words(root)
    assert charts.inference_chart(replace(seen, inference=())).svg is None


def test_shapes_without_room_are_spelled_in_the_caption() -> None:
    seen = sample_encoder_report().measurements
    assert seen is not None
    figure = charts.inference_chart(seen)
    texts = words(drawn(figure))
    assert " A " in f" {texts} " and " B " in f" {texts} " and "input_ids" not in texts
    for name, point in zip("AB", seen.inference, strict=True):
        assert f"{name}: {point.shapes}" in figure.caption


def test_of_many_runs_the_fastest_and_the_slowest_are_drawn() -> None:
    seen = sample_network_report(points=1).measurements
    assert seen is not None
    (point,) = seen.inference
    many = replace(point, samples_ms=tuple(1 + (index * 7919 % 5003) / 5003 for index in range(5003)))
    root = drawn(charts.inference_chart(replace(seen, inference=(many,))))
    heights = sorted(float(node.attrib["cy"]) for node in root.iter("circle"))
    assert len(heights) == 200
    scale = Scale(0, max(many.samples_ms) * 1.12, 246.0, 27.0)
    assert heights[0] == pytest.approx(scale(max(many.samples_ms)), abs=0.01)
    assert heights[-1] == pytest.approx(scale(min(many.samples_ms)), abs=0.01)


def test_a_networks_quality_is_drawn_as_its_distance_from_one() -> None:
    root = drawn(charts.size_quality_chart(sample_network_report()))
    assert "limit cosine 0.99" in words(root)
    marks = [node for node in root.iter() if node.attrib.get("class", "").startswith("mark")]
    assert [node.attrib["class"] for node in marks] == ["mark fail", "mark pass"]
    assert len([node for node in root.iter("circle") if node.attrib["class"] == "ring"]) == 1
    limit = next(node for node in root.iter("line") if node.attrib["class"] == "limit")
    assert float(marks[1].attrib["cy"]) > float(limit.attrib["y1"]), "nearer to the float network is further down"


@pytest.mark.parametrize("cosine", [1.0, 1.0000001, 0.5, -1.0])
def test_any_cosine_can_be_drawn(cosine: float) -> None:
    report = sample_network_report()
    rung = replace(report.ladder[0], cosine=Measured(cosine, 10))
    drawn(charts.size_quality_chart(replace(report, ladder=(rung,), candidates=())))


def test_memory_shows_what_was_there_before_the_file_was_opened() -> None:
    figure = charts.memory_chart(sample_report())
    (line,) = [node for node in drawn(figure).iter("line") if node.attrib["class"] == "baseline"]
    assert float(line.attrib["y1"]) < BOTTOM
    assert "27.5 MiB that interpreter and runtime libraries took" in figure.caption


def test_memory_keeps_its_peak_however_many_samples_there_are() -> None:
    report = sample_report()
    assert report.measurements is not None
    memory = report.measurements.memory
    many = tuple(replace(memory.timeline[20], at_s=index / 100) for index in range(5000))
    peak = replace(many[2503], anon_bytes=many[2503].anon_bytes * 3)
    spiked = (*many[:2503], peak, *many[2504:])
    seen = replace(report.measurements, memory=replace(memory, timeline=spiked))
    figure = charts.memory_chart(replace(report, measurements=seen))
    root = drawn(figure)
    curve = next(node for node in root.iter("path") if node.attrib["class"] == "curve")
    heights = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", curve.attrib["d"])]
    assert len(heights) <= 310
    assert min(heights) < sorted(heights)[1] - 50, "the one peak stands out"


def test_memory_names_its_phases_and_its_limit() -> None:
    text = words(drawn(charts.memory_chart(sample_report())))
    assert "prefill" in text and "decode" in text and "limit 96 MiB" in text


def test_a_limit_far_above_the_memory_is_told_not_drawn() -> None:
    report = sample_report()
    lines = tuple(
        replace(line, limit=64.0 * 1024**3) if line.name == "peak RAM" else line for line in report.verdict.lines
    )
    figure = charts.memory_chart(replace(report, verdict=replace(report.verdict, lines=lines)))
    assert "limit" not in words(drawn(figure))
    assert "64 GiB" in figure.caption


def test_without_samples_memory_says_so() -> None:
    assert charts.memory_chart(sample_profile_report()).svg is None


def test_predictions_that_were_too_high_stand_right_of_the_line() -> None:
    report = sample_report()
    rows = predicted_and_measured(report)
    assert [row.label for row in rows] == ["Artifact size", "Peak RAM", "TTFT p95 at 256 tokens", "Decode speed"]
    root = drawn(charts.prediction_chart(rows))
    places = [float(node.attrib["cx"]) for node in root.iter("circle")]
    middle = places[0]
    assert rows[0].error == 0
    assert [place > middle for place in places[1:]] == [row.error > 0 for row in rows[1:]]


def test_a_prediction_for_another_device_is_not_compared_with_this_host() -> None:
    report = replace(sample_report(), on_device=False, verdict=replace(sample_report().verdict, lines=()))
    assert [row.label for row in predicted_and_measured(report)] == ["Artifact size"]


def test_figures_without_a_limit_are_compared_too() -> None:
    report = replace(sample_report(), verdict=replace(sample_report().verdict, lines=()))
    assert [row.label for row in predicted_and_measured(report)] == ["Artifact size", "Peak RAM", "Decode speed"]


@pytest.mark.parametrize("factor", [1e-6, 0.3, 1.0, 40.0, 1e9])
def test_any_error_of_a_prediction_fits_the_picture(factor: float) -> None:
    rows = predicted_and_measured(sample_report())
    wrong = tuple(replace(row, predicted=Estimate(row.measured.value * factor, "guess")) for row in rows)
    drawn(charts.prediction_chart(wrong))


def test_nothing_to_compare_is_said() -> None:
    assert charts.prediction_chart(()).svg is None


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_ticks_are_few_rising_and_within_the_scale(seed: int, log: bool) -> None:
    chance = random.Random(seed)
    low = 10 ** chance.uniform(-6, 9)
    scale = Scale(low, low * 10 ** chance.uniform(0.01, 6), 0, 100, log)
    ticks = scale.ticks()
    assert list(ticks) == sorted(ticks)
    assert (1 if log else 2) <= len(ticks) <= 16
    assert all(-0.5 <= scale(tick) <= 100.5 for tick in ticks)
    if not log:
        assert {round((b - a) / (ticks[1] - ticks[0]), 3) for a, b in pairwise(ticks)} == {1.0}


def test_a_scale_maps_its_ends_onto_its_pixels() -> None:
    assert Scale(2, 8, 10, 70)(5) == 40
    log = Scale(1, 100, 0, 10, log=True)
    assert math.isclose(log(10), 5) and log(1) == 0 and math.isclose(log(100), 10)
    assert WIDTH > HEIGHT
