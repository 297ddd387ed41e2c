from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from sample_behaviour import sample_bare_behaviour, sample_behaviour, sample_calm_behaviour

from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.fallback import FallbackFit
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.report import charts
from edgeshrink.report.behaviour_rows import limit_on_loss, slice_rows

from .sample_gates import sample_verdict
from .test_charts import drawn, words


def losses(behaviour: Behaviour) -> list[ET.Element]:
    return [drawn(figure) for figure in charts.loss_charts(slice_rows(behaviour, sample_verdict(behaviour)))]


def centre(mark: ET.Element) -> tuple[float, float]:
    if mark.tag == "circle":
        return float(mark.attrib["cx"]), float(mark.attrib["cy"])
    corners = [tuple(map(float, corner.split(","))) for corner in mark.attrib["points"].split()]
    return corners[0][0], sum(corner[1] for corner in corners) / 3


def marks(root: ET.Element) -> dict[str, ET.Element]:
    """Name of the row -> its mark, by the words that hovering shows."""
    found = [node for node in root.iter() if node.attrib.get("class", "").startswith("mark")]
    return {(node.findtext("title") or "").partition(":")[0]: node for node in found}


def lines_at(root: ET.Element, class_: str, up: float) -> list[ET.Element]:
    lines = [node for node in root.iter("line") if node.attrib.get("class") == class_]
    return [node for node in lines if float(node.attrib["y1"]) - 2 <= up <= float(node.attrib["y2"]) + 2]


def test_shares_and_distances_stand_apart_and_every_measured_slice_has_a_mark() -> None:
    shares, distances = losses(sample_behaviour())
    assert len(marks(shares)) == 20 and len(marks(distances)) == 9
    assert "points lost against the reference" in words(shares) and "nats to the reference" in words(distances)
    assert "irrelevance" not in words(shares), "nothing was measured of it"


def test_what_lost_more_stands_further_right_and_a_gain_left_of_no_loss() -> None:
    shares, _ = losses(sample_behaviour())
    found = {name: centre(mark)[0] for name, mark in marks(shares).items()}
    zero = next(float(node.attrib["x1"]) for node in shares.iter("line") if node.attrib.get("class") == "one")
    assert found["own/support"] < zero < found["recall"] < found["constraint"] < found["arithmetic"]
    scale = (found["arithmetic"] - zero) / 42.5
    assert found["constraint"] - zero == pytest.approx(23.8 * scale, abs=0.1)


def test_a_failed_gate_is_a_triangle_beyond_its_limit_with_its_whole_interval() -> None:
    shares, distances = losses(sample_behaviour())
    for root, names in ((shares, ("arithmetic", "constraint")), (distances, ("digits", "it"))):
        for name in names:
            mark = marks(root)[name]
            assert mark.tag == "polygon" and mark.attrib["class"] == "mark fail"
            up = centre(mark)[1]
            (bounds,) = lines_at(root, "whisker", up)
            limits = [float(line.attrib["x1"]) for line in lines_at(root, "limit", up)]
            assert limits and max(limits) < float(bounds.attrib["x1"]) < centre(mark)[0]
    assert marks(shares)["decision"].attrib["class"] == "mark pass"
    assert marks(shares)["arguments"].attrib["class"] == "mark unknown"


def test_the_thick_interval_lies_within_the_thin_one() -> None:
    shares, _ = losses(sample_behaviour())
    for mark in marks(shares).values():
        up = centre(mark)[1]
        (thick,), (thin,) = lines_at(shares, "interval", up), lines_at(shares, "whisker", up)
        assert (
            float(thin.attrib["x1"])
            <= float(thick.attrib["x1"])
            <= float(thick.attrib["x2"])
            <= float(thin.attrib["x2"])
        )


def test_every_kind_of_limit_is_drawn_as_a_loss() -> None:
    """10 % of the reference's 98.5 % are 9.85 points; at least 90 % are 9 points below the reference's 99 %."""
    behaviour = sample_behaviour()
    rows = slice_rows(behaviour, sample_verdict(behaviour))
    sums = next(row for row in rows if row.slice.name == "arithmetic")
    json = next(row for row in rows if row.slice.name == "tools/json")
    assert sums.limits == pytest.approx((0.05, 0.0985))
    assert json.limits == pytest.approx((0.05, 0.09))
    assert [limit_on_loss(gate, sums.metric) for gate in sums.gates] == pytest.approx([0.05, 0.0985])


@pytest.mark.parametrize("bounds", [(-math.inf, math.inf), (0.5, math.inf), (0.0, 0.0), None])
def test_an_interval_without_an_end_is_cut_off_at_the_frame(bounds: tuple[float, float] | None) -> None:
    behaviour = sample_bare_behaviour()
    one = behaviour.slices[0]
    metric = replace(one.metrics[0], bounds=bounds)
    losses(replace(behaviour, slices=(replace(one, metrics=(metric,)),)))


@pytest.mark.parametrize("behaviour", [sample_calm_behaviour(), sample_bare_behaviour()])
def test_any_behaviour_can_be_drawn(behaviour: Behaviour) -> None:
    assert losses(behaviour)
    assert charts.sources_chart(behaviour).svg is None and charts.risk_chart(behaviour.fallback).svg is None
    assert not isinstance(behaviour.fallback, FallbackFit)
    assert behaviour.fallback.reason in charts.risk_chart(behaviour.fallback).caption


def test_without_a_measured_slice_the_chart_says_so() -> None:
    behaviour = sample_behaviour()
    beyond = behaviour.slice("bfcl/irrelevance")
    assert beyond is not None
    (figure,) = charts.loss_charts(slice_rows(replace(behaviour, slices=(beyond,)), None))
    assert figure.svg is None and figure.caption == "No slice could be measured."


def test_parts_are_drawn_in_their_order_and_two_at_least() -> None:
    sums = sample_behaviour().slice("arithmetic")
    assert sums is not None
    figure = charts.parts_chart(sums)
    assert figure is not None
    places = {name: centre(mark) for name, mark in marks(drawn(figure)).items()}
    assert [*places] == ["no carry", "one carry", "two carries"]
    assert places["no carry"][0] < places["one carry"][0] < places["two carries"][0]
    assert charts.parts_chart(replace(sums, parts=sums.parts[:1])) is None


def test_drift_is_a_curve_that_rises_where_the_distance_grows() -> None:
    drift = sample_behaviour().slice("long-context/drift")
    assert drift is not None
    figure = charts.along_chart(drift)
    assert figure is not None
    root = drawn(figure)
    curve = next(node for node in root.iter("path") if node.attrib["class"] == "curve")
    ups = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", curve.attrib["d"])]
    assert ups == sorted(ups, reverse=True)
    assert "128-223" in words(root) and "positions 128-223" not in words(root)


def test_sources_are_bars_as_long_as_what_they_give_back() -> None:
    root = drawn(charts.sources_chart(sample_behaviour()))
    bars = {(bar.findtext("title") or "").partition(" at ")[0]: bar for bar in root.iter("rect")}
    assert [*bars] == ["blk.3", "blk.3.ffn_down", "ffn_down", "blk.4", "blk.0", "attn_k", "blk.1.attn_k"]
    width = {name: float(bar.attrib["width"]) for name, bar in bars.items()}
    assert width["blk.3.ffn_down"] / width["blk.3"] == pytest.approx(0.71 / 0.88, abs=0.01)
    zero = float(bars["blk.3"].attrib["x"])
    assert float(bars["blk.0"].attrib["x"]) + width["blk.0"] == pytest.approx(zero, abs=0.02), "below 0: it got worse"
    assert "71 %, +512 KiB" in words(root)
    assert "token_embd" in charts.sources_chart(sample_behaviour()).caption


def test_the_curve_of_coverage_and_risk_has_the_threshold_the_check_and_the_stated_risk() -> None:
    fit = sample_behaviour().fallback
    assert isinstance(fit, FallbackFit)
    root = drawn(charts.risk_chart(fit))
    curve = next(node for node in root.iter("path") if node.attrib["class"] == "curve")
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", curve.attrib["d"])]
    assert points == sorted(points) and len(points) == len(fit.fallback.curve)
    (ring,) = [node for node in root.iter("circle") if node.attrib["class"] == "ring"]
    (stated,) = [node for node in root.iter("line") if node.attrib["class"] == "limit"]
    assert float(ring.attrib["cy"]) > float(stated.attrib["y1"]), "the fitted risk lies below the stated one"
    assert len([node for node in root.iter("line") if node.attrib["class"] == "check"]) == 2
    assert "stated risk 5.0 %" in words(root)


def test_a_risk_that_was_not_checked_has_no_cross() -> None:
    fit = sample_behaviour().fallback
    assert isinstance(fit, FallbackFit)
    no_risk = Measured(0.0, 300)
    bare = replace(fit, checked_risk=Unmeasured("all were handed over"), fallback=replace(fit.fallback, curve=()))
    root = drawn(charts.risk_chart(bare))
    assert not [node for node in root.iter("line") if node.attrib["class"] == "check"]
    drawn(charts.risk_chart(replace(fit, checked_risk=no_risk, checked_coverage=no_risk)))
