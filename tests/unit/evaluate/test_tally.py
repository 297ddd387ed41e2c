"""Scores become slices: each figure against its formula written here, and what is not claimed is not there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from edgeshrink.core.behaviour import Confidence, Failures, Metric
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.errors import DataError
from edgeshrink.evaluate.paired import tango
from edgeshrink.evaluate.probes import TEMPERATURES
from edgeshrink.evaluate.slices.answers import AnswersTally
from edgeshrink.evaluate.slices.interface import Answered, MetricFacts, Score, Shown, SliceFacts, Value
from edgeshrink.evaluate.slices.tally import WORST, Tally

RIGHT = MetricFacts("right", "share")
CONFIDENCE = Confidence(0.05, 10, 2)


def _score(number: int, values: dict[str, tuple[Value, Value]], *parts: str, slice_name: str = "a") -> Score:
    return Score(slice_name, f"item {number}", values, Shown(f"asked {number}", "yes", "yes", "no"), parts)


def _metric(facts: MetricFacts, pairs: Sequence[tuple[Value, Value]]) -> Metric:
    tally = Tally([SliceFacts("a", "A", (facts,))], CONFIDENCE)
    for number, pair in enumerate(pairs):
        tally.add(_score(number, {facts.name: pair}))
    return tally.slices()[0].metrics[0]


def _measured(reading: object) -> Measured:
    assert isinstance(reading, Measured), reading
    return reading


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_share_loses_what_turned_for_the_worse(better: str) -> None:
    pairs: list[tuple[Value, Value]] = [(1.0, 1.0)] * 50 + [(1.0, 0.0)] * 9 + [(0.0, 1.0)] * 2 + [(0.0, 0.0)] * 19
    if better == "lower":
        pairs = [(1 - first, 1 - second) for first, second in pairs]  # type: ignore[operator]
    metric = _metric(MetricFacts("right", "share", better=better), pairs)  # type: ignore[arg-type]
    assert _measured(metric.loss).value == pytest.approx(7 / 80)
    assert (metric.loss.low, metric.loss.high) == tango(9, 2, 80, 0.95)  # type: ignore[union-attr]
    assert metric.bounds == tango(9, 2, 80, 1 - 0.05 / 20)
    hits = 59 if better == "higher" else 21
    own = stats.binomtest(hits, 80).proportion_ci(0.95, method="wilson")
    reference = _measured(metric.reference)
    assert (reference.value, reference.n) == (hits / 80, 80)
    assert (reference.low, reference.high) == pytest.approx((own.low, own.high))


def test_a_mean_has_the_t_interval_of_paired_differences() -> None:
    random = np.random.default_rng(2)
    reference, candidate = random.uniform(0, 1, 40), random.uniform(0, 1, 40)
    facts = MetricFacts("points", "mean", unit="points")
    metric = _metric(facts, list(zip(reference.tolist(), candidate.tolist(), strict=True)))
    lost = reference - candidate
    expected = stats.t.interval(0.95, 39, lost.mean(), stats.sem(lost))
    assert (metric.loss.low, metric.loss.high) == pytest.approx(expected)  # type: ignore[union-attr]
    assert metric.bounds == pytest.approx(stats.t.interval(0.9975, 39, lost.mean(), stats.sem(lost)))


def test_items_that_are_all_alike_leave_as_much_open_as_their_number_does() -> None:
    metric = _metric(MetricFacts("loops", "mean", better="lower"), [(0.0, 0.0)] * 30)
    z = stats.norm.ppf(1 - 0.0025 / 2)
    assert metric.bounds == pytest.approx((-z * z / (30 + z * z), z * z / (30 + z * z)))
    points = _metric(MetricFacts("grade", "mean", unit="points"), [(2.0, 2.0), (5.0, 5.0)] * 2)
    assert points.bounds == pytest.approx((-3 * z * z / (4 + z * z), 3 * z * z / (4 + z * z)))


def test_a_distance_is_its_own_loss() -> None:
    metric = _metric(
        MetricFacts("changed", "share", better="lower", distance=True), [(0.0, 1.0)] * 3 + [(0.0, 0.0)] * 7
    )
    assert isinstance(metric.reference, Unmeasured)
    assert metric.loss == metric.candidate
    assert _measured(metric.loss).value == pytest.approx(0.3)


def test_over_confidence_is_seen_in_the_calibration_error() -> None:
    random = np.random.default_rng(4)
    sure = random.uniform(0.5, 1.0, 600)
    right = (random.uniform(size=600) < sure).astype(float)
    pairs: list[tuple[Value, Value]] = [
        ((first, hit), (min(1.0, first + 0.25), hit)) for first, hit in zip(sure.tolist(), right.tolist(), strict=True)
    ]
    facts = MetricFacts("calibration error", "calibration error", better="lower")
    metric = _metric(facts, pairs)
    assert _measured(metric.reference).value < 0.08
    assert metric.bounds is not None
    assert metric.bounds[0] > 0.03
    assert _metric(facts, pairs) == metric
    same = _metric(facts, [(first, first) for first, _ in pairs])
    assert _measured(same.loss).value == 0.0
    assert isinstance(_metric(facts, pairs[:20]).loss, Unmeasured)


def test_what_the_reference_cannot_do_is_not_claimed() -> None:
    facts = SliceFacts("a", "A", (RIGHT, MetricFacts("neat", "mean")), chance=0.5)
    tally = Tally([facts], CONFIDENCE)
    for number in range(40):
        tally.add(
            _score(number, {"right": (float(number % 2), 0.0), "neat": (1.0, 0.0)}, "even" if number % 2 else "odd")
        )
    (found,) = tally.slices()
    assert _measured(found.metrics[0].reference).value == 0.5
    for metric in (*found.metrics, *(part.metric for part in found.parts)):
        assert isinstance(metric.candidate, Unmeasured)
        assert metric.loss == metric.candidate
        assert metric.bounds is None
        assert metric.loss.reason.startswith("the reference cannot do this: right 0.5 on 40 items")
    assert found.worst == ()


def test_a_reference_that_only_lacks_items_is_not_called_unable() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT,), chance=0.5)], CONFIDENCE)
    for number in range(12):
        tally.add(_score(number, {"right": (float(number > 1), 1.0)}))
    loss = tally.slices()[0].metrics[0].loss
    assert isinstance(loss, Unmeasured)
    assert loss.reason.startswith("too few items show that the reference can: right 0.833 on 12 items")


def test_a_reference_clear_of_chance_is_judged_and_a_part_that_it_cannot_do_is_not() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT,), chance=0.25)], CONFIDENCE)
    for number in range(60):
        hard = number >= 50
        tally.add(_score(number, {"right": (float(not hard), float(not hard))}, "hard" if hard else "easy"))
    (found,) = tally.slices()
    assert _measured(found.metrics[0].loss).value == 0.0
    easy, hard_part = found.parts
    assert (easy.name, easy.items) == ("easy", 50)
    assert isinstance(easy.metric.loss, Measured)
    assert (hard_part.name, hard_part.items) == ("hard", 10)
    assert isinstance(hard_part.metric.loss, Unmeasured)


def test_parts_hold_the_items_that_say_so() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT,))], CONFIDENCE)
    for number in range(30):
        parts = ["long"] * (number % 3 == 0) + ["many"] * (number >= 20)
        tally.add(_score(number, {"right": (1.0, float(number < 20))}, *parts))
    parts_found = {part.name: (part.items, _measured(part.metric.loss).value) for part in tally.slices()[0].parts}
    assert parts_found == {"long": (10, pytest.approx(0.3)), "many": (10, 1.0)}


def test_each_metric_counts_the_items_that_have_it() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT, MetricFacts("kept", "share")))], CONFIDENCE)
    for number in range(10):
        tally.add(_score(number, {"right": (1.0, 1.0), **({"kept": (1.0, 0.0)} if number < 4 else {})}))
    (found,) = tally.slices()
    assert [_measured(metric.loss).n for metric in found.metrics] == [10, 4]
    assert found.items == 10


def test_a_question_asked_twice_counts_once() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT,))], CONFIDENCE)
    assert [tally.add(_score(number, {"right": (1.0, 1.0)})) for number in (1, 2, 1)] == [True, True, False]
    assert tally.slices()[0].items == 2
    shown = Shown("asked", "yes", "yes", "no")
    again = [Score("a", f"{number}~0a1b", {"right": (1.0, 0.0)}, shown) for number in (5, 6)]
    assert [tally.add(score) for score in again] == [True, False]


def test_an_item_of_several_scores_is_one_item() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT, MetricFacts("right,loose", "share")))], CONFIDENCE)
    for number in range(4):
        tally.add(_score(number, {("right", "right,loose")[number % 2]: (1.0, 1.0)}))
    assert tally.slices()[0].items == 2


def test_differences_that_rounding_alone_tells_apart_are_alike() -> None:
    metric = _metric(MetricFacts("points", "mean"), [(0.3, 0.1)] * 7)
    assert metric.bounds is not None
    z = stats.norm.ppf(1 - 0.0025 / 2)
    assert metric.bounds[1] - metric.bounds[0] == pytest.approx(2 * z * z / (7 + z * z))


def test_the_items_that_lost_most_are_shown_with_both_answers() -> None:
    tally = Tally([SliceFacts("a", "A", (MetricFacts("points", "mean", unit="points"),))], CONFIDENCE)
    for number in range(40):
        tally.add(_score(number, {"points": (float(number % 20), 1.0)}))
    worst = tally.slices()[0].worst
    assert [one.loss for one in worst] == [18.0, 18.0, 17.0, 17.0, 16.0]
    assert [one.item for one in worst] == ["item 19", "item 39", "item 18", "item 38", "item 17"]
    assert (worst[0].prompt, worst[0].expected, worst[0].reference, worst[0].candidate) == (
        "asked 19",
        "yes",
        "yes",
        "no",
    )
    assert len(worst) == WORST


def test_a_long_prompt_is_shown_by_its_beginning_and_its_end() -> None:
    tally = Tally([SliceFacts("a", "A", (RIGHT,))], CONFIDENCE)
    tally.add(Score("a", "1", {"right": (1.0, 0.0)}, Shown("begin" + "x" * 90_000 + "end", "", "", "")))
    shown = tally.slices()[0].worst[0].prompt
    assert shown.startswith("begin")
    assert shown.endswith("end")
    assert len(shown) < 1300


def test_slices_without_items_say_so() -> None:
    (found,) = Tally([SliceFacts("a", "A", (RIGHT,), chance=0.0)], CONFIDENCE).slices()
    assert found.items == 0
    assert found.metrics[0].loss == Unmeasured("no item speaks for it")


def test_values_without_end_are_told_and_not_averaged() -> None:
    metric = _metric(MetricFacts("points", "mean"), [(1.0, math.inf), (1.0, 2.0)])
    assert metric.loss == Unmeasured("1 of 2 items have no finite value")


@pytest.mark.parametrize("score", [_score(1, {"right": (1.0, 1.0)}, slice_name="b"), _score(1, {"left": (1.0, 1.0)})])
def test_what_nobody_declared_is_refused(score: Score) -> None:
    with pytest.raises(DataError):
        Tally([SliceFacts("a", "A", (RIGHT,))], CONFIDENCE).add(score)


def _answer(sure: float, right: bool) -> Answered:
    return Answered(right, tuple(math.log(sure) for _ in TEMPERATURES))


def _answers(pairs: Sequence[tuple[Answered, Answered]], slice_name: str = "a") -> list[Score]:
    shown = Shown("asked", "yes", "yes", "no")
    return [
        Score(slice_name, f"{number}", {"right": (float(one.right), float(other.right))}, shown, answered=(one, other))
        for number, (one, other) in enumerate(pairs)
    ]


def test_flips_are_counted_over_all_families_with_mcnemars_p() -> None:
    tally = AnswersTally([SliceFacts("a", "A", (RIGHT,), 0.0), SliceFacts("b", "B", (RIGHT,), 0.0)], CONFIDENCE)
    good, bad = _answer(0.9, True), _answer(0.9, False)
    for score in (
        *_answers([(good, good)] * 30 + [(good, bad)] * 8),
        *_answers([(good, good)] * 20 + [(bad, good)], "b"),
    ):
        tally.add(score)
    _, flips = tally.slices()
    assert (flips.name, flips.items) == ("stability/flips", 59)
    assert _measured(flips.metrics[0].loss).value == pytest.approx(7 / 59)
    assert flips.metrics[0].bounds == tango(8, 1, 59, CONFIDENCE.each)
    assert [_measured(metric.loss).value for metric in flips.metrics[1:]] == pytest.approx([8 / 59, 1 / 59])
    p = stats.binomtest(1, 9).pvalue
    assert flips.notes == (f"8 right to wrong, 1 wrong to right: McNemar's exact p is {p:.3g}",)
    assert {part.name: part.items for part in flips.parts} == {"a": 38, "b": 21}
    assert [one.item for one in flips.worst] == ["30"]


def test_answers_that_grow_surer_than_they_are_right_lose_calibration() -> None:
    random = np.random.default_rng(6)
    sure = random.uniform(0.4, 0.99, 400)
    right = random.uniform(size=400) < sure
    pairs = [
        (_answer(float(one), bool(hit)), _answer(float(one) ** 0.2, bool(hit)))
        for one, hit in zip(sure, right, strict=True)
    ]
    tally = AnswersTally([SliceFacts("a", "A", (RIGHT,), 0.0)], CONFIDENCE)
    for score in _answers(pairs):
        tally.add(score)
    calibration, flips = tally.slices()
    assert [metric.name for metric in calibration.metrics] == ["calibration error", "Brier", "over-confidence"]
    error, brier, over = calibration.metrics
    assert error.bounds is not None
    assert error.bounds[0] > 0.05
    hits = right.astype(float)
    assert _measured(brier.loss).value == pytest.approx(np.mean((sure**0.2 - hits) ** 2 - (sure - hits) ** 2))
    assert _measured(over.loss).value == pytest.approx(np.mean(sure**0.2 - sure))
    assert _measured(flips.metrics[0].loss).value == 0.0


def test_answers_to_what_the_reference_cannot_do_are_left_out_and_named() -> None:
    tally = AnswersTally([SliceFacts("a", "A", (RIGHT,), 0.0), SliceFacts("b", "B", (RIGHT,), 0.5)], CONFIDENCE)
    good, bad = _answer(0.9, True), _answer(0.9, False)
    for score in (*_answers([(good, good)] * 40), *_answers([(good, bad), (bad, good)] * 20, "b")):
        tally.add(score)
    for found in tally.slices():
        assert found.items == 40
        assert found.notes[-1] == "without what the reference cannot do: b"


def test_without_any_answer_both_slices_say_so() -> None:
    for found in AnswersTally([], CONFIDENCE).slices():
        assert found.items == 0
        assert isinstance(found.metrics[0].loss, Unmeasured)
        assert found.notes == ("no task of this suite is one that the reference can do",)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_failures_are_inherited_lost_or_new(better: str) -> None:
    pairs: list[tuple[Value, Value]] = [(1.0, 1.0)] * 50 + [(1.0, 0.0)] * 9 + [(0.0, 1.0)] * 2 + [(0.0, 0.0)] * 19
    if better == "lower":
        pairs = [(1 - first, 1 - second) for first, second in pairs]  # type: ignore[operator]
    tally = Tally([SliceFacts("a", "A", (MetricFacts("wrong", "share", better=better),))], CONFIDENCE)  # type: ignore[arg-type]
    for number, pair in enumerate([*pairs, *pairs[:3]]):  # a question that came before does not count again
        tally.add(_score(number % len(pairs), {"wrong": pair}))
    assert tally.slices()[0].failures == Failures(items=80, inherited=19, lost=9, new=2)


def test_failures_are_of_right_answers_where_a_slice_has_such() -> None:
    agreement = MetricFacts("agreement", "share")
    tally = Tally([SliceFacts("a", "A", (agreement, RIGHT), chance=0.0)], CONFIDENCE)
    tally.add(_score(1, {"agreement": (1.0, 1.0), "right": (1.0, 0.0)}))
    tally.add(_score(2, {"agreement": (0.0, 1.0)}))
    assert tally.slices()[0].failures == Failures(items=1, inherited=0, lost=1, new=0)


@pytest.mark.parametrize(
    ("facts", "pair"),
    [
        (MetricFacts("loops", "mean", better="lower"), (0.0, 1.0)),
        (MetricFacts("score", "share"), (0.5, 1.0)),
        (MetricFacts("changed", "share", better="lower", distance=True), (0.0, 1.0)),
        (MetricFacts("calibration error", "calibration error", better="lower"), ((1.0, 1.0), (1.0, 0.0))),
        (RIGHT, None),
    ],
)
def test_what_is_neither_done_nor_failed_has_no_failures(facts: MetricFacts, pair: tuple[Value, Value] | None) -> None:
    tally = Tally([SliceFacts("a", "A", (facts,))], CONFIDENCE)
    if pair is not None:
        tally.add(_score(1, {facts.name: pair}))
    assert tally.slices()[0].failures is None
