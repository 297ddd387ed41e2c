from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from sample_shrinkage import (
    FAILURES,
    sample_prune_step,
    sample_record,
    sample_refused_shrinkage,
    sample_shrinkage,
    sample_sparse_step,
)

from edgeshrink.core.training import GateCheck, Point, TrainingRecord
from edgeshrink.report import charts
from edgeshrink.report.charts.training import thinned

from .test_charts import drawn, words


def loss(record: TrainingRecord) -> ET.Element:
    return drawn(charts.training_charts(record)[0])


def of_class(root: ET.Element, *names: str) -> list[ET.Element]:
    return [node for node in root.iter() if set(names) <= set(node.attrib.get("class", "").split())]


def places(path: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path.attrib["d"])]


def test_a_run_draws_both_losses_and_every_look_of_the_suite() -> None:
    record = sample_record()
    root = loss(record)
    train, held = of_class(root, "curve", "thin")[0], of_class(root, "curve", "warm")[0]
    assert len(places(train)) == len(record.points) and len(places(held)) == len(record.held_out)
    assert places(train)[-1][1] > places(train)[0][1], "a lower loss is further down"
    assert len(of_class(root, "mark", "fail")) == 1 and len(of_class(root, "mark", "pass")) == 1
    assert {"held out", "learned from", "nats a token (log)"} <= {node.text for node in root.iter("text")}
    said = next(node.text for node in root.iter("desc")) or ""
    assert "gates at step 120: FAIL; gates at step 240: PASS" in said


def test_a_run_that_goes_on_leaves_room_for_the_steps_to_come() -> None:
    half, whole = (places(of_class(loss(sample_record(steps=n)), "thin")[0])[-1][0] for n in (120, 240))
    assert half == pytest.approx(62 + (whole - 62) / 2, abs=2)


def test_held_out_text_is_told_in_bits_per_byte_where_bytes_are_known() -> None:
    record = sample_record()
    assert "bits per byte" in words(drawn(charts.training_charts(record)[1]))
    unknown = replace(record, held_out=tuple(replace(point, bits_per_byte=None) for point in record.held_out))
    assert "bits per byte" not in words(drawn(charts.training_charts(unknown)[1]))


def test_pace_and_learning_rate_stand_below_each_other() -> None:
    root = drawn(charts.training_charts(sample_record())[2])
    assert "tokens a second" in words(root) and "learning rate × 10³" in words(root)


@pytest.mark.parametrize("steps", [0, 10])
def test_a_run_that_just_began_is_told_and_not_drawn(steps: int) -> None:
    record = replace(sample_record(steps=steps), held_out=())
    figures = charts.training_charts(record)
    assert [figure.svg for figure in figures] == [None] and figures[0].caption == "Nothing was logged yet."


@pytest.mark.parametrize("value", [0.0, 1e-9, 5.0, -0.5])
def test_a_loss_that_does_not_move_is_drawn_whatever_it_is(value: float) -> None:
    record = sample_record()
    flat = tuple(replace(point, loss=value) for point in record.points)
    held = tuple(replace(point, objective=value, cross_entropy=value, bits_per_byte=value) for point in record.held_out)
    for figure in charts.training_charts(replace(record, points=flat, held_out=held)):
        drawn(figure)


def test_a_figure_that_is_not_finite_is_left_out_of_the_curve() -> None:
    record = sample_record()
    first, *rest = record.points
    broken = replace(record, points=(replace(first, loss=math.nan, tokens_s=math.inf), *rest))
    assert len(places(of_class(loss(broken), "thin")[0])) == len(rest)
    for figure in charts.training_charts(broken):
        drawn(figure)


def test_a_check_of_a_step_beyond_the_log_stays_inside_of_the_picture() -> None:
    late = GateCheck(9_999, "UNKNOWN", (), "", None)
    drawn(charts.training_charts(replace(sample_record(), checks=(late,)))[0])


def test_thinning_keeps_both_ends_and_the_only_spike() -> None:
    points = [(float(step), 1.0) for step in range(10_000)]
    points[7_777] = (7_777.0, 50.0)
    kept = thinned(points)
    assert len(kept) <= 502 and (7_777.0, 50.0) in kept
    assert kept[0] == points[0] and kept[-1] == points[-1] and kept == sorted(kept)


def test_a_long_run_is_a_small_page() -> None:
    record = sample_record()
    many = tuple(Point(s, s, float(s), 1 + 1 / (s + 1), 1e-3, 5e3) for s in range(20_000))
    drawings = charts.training_charts(replace(record, points=many, planned_steps=20_000, steps=20_000))
    assert sum(len(str(figure.svg)) for figure in drawings) < 60_000


def test_failures_are_bars_as_long_as_their_share_of_the_items() -> None:
    root = drawn(charts.failures_chart(FAILURES))
    bars = {
        (next(node.text or "" for node in bar.iter("title")).partition(":")[0], bar.attrib["class"].split()[1]): bar
        for bar in of_class(root, "bar")
    }
    widths = {key: float(bar.attrib["width"]) for key, bar in bars.items()}
    per_item = widths["arithmetic", "lost"] / 31
    assert widths["arithmetic", "inherited"] == pytest.approx(3 * per_item, rel=0.02)
    assert widths["long-context/recall", "lost"] == pytest.approx(9 * per_item * 200 / 120, rel=0.02)
    assert ("tools/json", "new") not in widths
    new, lost = bars["arithmetic", "new"], bars["arithmetic", "lost"]
    assert float(new.attrib["x"]) < float(bars["arithmetic", "inherited"].attrib["x"]) < float(lost.attrib["x"])


def test_where_nothing_was_failed_a_sentence_stands_for_the_bars() -> None:
    figure = charts.failures_chart((FAILURES[3],))
    assert figure.svg is None and "No item" in figure.caption


def test_each_layer_is_a_cell_and_each_width_a_bar() -> None:
    root = drawn(charts.cut_chart(sample_prune_step()))
    titles = [node.text for node in root.iter("title")]
    assert "layer 2: dropped" in titles and "layer 3: kept" in titles
    whole, kept = (float(bar.attrib["width"]) for bar in of_class(root, "bar")[-2:])
    assert kept / whole == pytest.approx(512 / 768, rel=0.01)
    assert "768 to 512" in words(root)
    assert "Dropped layers, counted from 0: 2." in charts.cut_chart(sample_prune_step()).caption


def test_a_model_of_a_thousand_layers_is_one_bar() -> None:
    step = sample_prune_step()
    assert step.pruning is not None
    deep = replace(step.pruning, axes=(("layers", 1000, 600),), kept_layers=tuple(range(600)))
    assert len(of_class(drawn(charts.cut_chart(replace(step, pruning=deep))), "bar")) == 2


def test_zeros_change_no_width() -> None:
    assert charts.cut_chart(sample_sparse_step()).svg is None


def test_what_was_kept_is_a_disc_what_ships_is_ringed_and_numbers_are_the_tables() -> None:
    root = drawn(charts.bought_chart(sample_shrinkage()))
    assert {node.text for node in of_class(root, "name")} == {"1", "2", "3", "4"}
    assert len(of_class(root, "mark", "pass")) == 1 and len(of_class(root, "ring")) == 1
    refused = drawn(charts.bought_chart(sample_refused_shrinkage()))
    assert not of_class(refused, "ring") and {node.text for node in of_class(refused, "name")} == {"1", "2", "3"}


def test_without_a_distance_there_is_no_chart_of_what_was_bought() -> None:
    found = sample_refused_shrinkage()
    figure = charts.bought_chart(replace(found, rungs=found.rungs[-1:]))
    assert figure.svg is None and figure.caption.startswith("No step's distance")
