"""What texts come to: planted losses are in the slice that is theirs, intervals are those of independent formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edgeshrink.core.behaviour import Confidence, Metric, Slice
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.evaluate.bits import Bits
from edgeshrink.evaluate.clusters import Clusters
from edgeshrink.evaluate.distances import Distances
from edgeshrink.evaluate.slices import drift, next_token, text
from edgeshrink.evaluate.slices.interface import ReadText

GATES = Confidence(0.05, 20, 3)
WINDOWS, FIRST, EACH = 12, 16, 239


def value(reading: Reading) -> float:
    assert isinstance(reading, Measured)
    return reading.value


def read(label: str = "en", seed: int = 1, windows: int = WINDOWS, **changed: Any) -> ReadText:
    """Texts of a candidate that differs from its reference by noise alone, but for what is `changed`."""
    random = np.random.default_rng(seed)
    count = windows * EACH
    sure = random.uniform(0.05, 0.95, count)
    right = (random.uniform(size=count) < sure).astype(float)
    nll = random.exponential(2.0, count)
    figures: dict[str, Any] = {
        "kl": random.gamma(0.5, 0.02, count),
        "nll": nll + random.normal(0, 0.02, count),
        "reference_nll": nll,
        "same_top": (random.uniform(size=count) < 0.95).astype(float),
        "difference": random.uniform(size=count),
        "confidence": np.clip(sure + random.normal(0, 0.005, count), 0, 1),
        "reference_confidence": sure,
        "right": right,
        "reference_right": right,
        "top": np.zeros(count, np.int64),
        "reference_top": np.zeros(count, np.int64),
    }
    for name, change in changed.items():
        figures[name] = change(figures[name])
    sizes = random.integers(1, 7, count)
    bits = Bits(figures["nll"], sizes, figures["reference_nll"], sizes)
    return ReadText(label, label.title(), windows, FIRST, EACH, Distances(**figures), bits=bits)


def apart(reference_bytes: Any, own_bytes: Any) -> ReadText:
    """As `read`, of models whose tokens spell so many bytes at each position."""
    d = read().distances
    bits = Bits(d.nll, own_bytes, d.reference_nll, reference_bytes)
    return ReadText("en", "En", WINDOWS, FIRST, EACH, Distances.none(), bits=bits, apart="its vocabulary is another")


def one(found: Any) -> Slice:
    (only,) = found
    assert isinstance(only, Slice)
    return only


def metric(found: Slice, name: str) -> Metric:
    wanted = found.metric(name)
    assert wanted is not None
    return wanted


def bounds(found: Metric) -> tuple[float, float]:
    assert found.bounds is not None
    return found.bounds


def test_a_texts_figures_are_their_definitions() -> None:
    given = read()
    found, d = one(text.slices([given], GATES)), given.distances
    assert (found.name, found.title, found.items, found.chance) == ("text/en", "En", WINDOWS * EACH, None)
    expected = {
        "mean KL": d.kl.mean(),
        "median KL": np.median(d.kl),
        "p99 KL": np.quantile(d.kl, 0.99),
        "max KL": d.kl.max(),
        "same top": d.same_top.mean(),
        "perplexity ratio": math.exp(d.nll.mean()) / math.exp(d.reference_nll.mean()),
        "bits per byte": d.nll.sum() / math.log(2) / given.bits.nbytes.sum(),  # type: ignore[union-attr]
    }
    assert {one.name: value(one.candidate) for one in found.metrics} == pytest.approx(expected)
    assert value(metric(found, "same top").loss) == pytest.approx(1 - d.same_top.mean())
    assert value(metric(found, "perplexity ratio").loss) == pytest.approx(expected["perplexity ratio"] - 1)
    *distances, bits = found.metrics
    assert all(isinstance(one.reference, Unmeasured) for one in distances)
    assert value(bits.candidate) - value(bits.reference) == pytest.approx(value(bits.loss))


def test_rounds_of_one_text_are_one_slice_and_labels_stand_apart() -> None:
    rounds = [read("en", 1), read("de", 2), read("en", 3)]
    found = {one.name: one for one in text.slices(rounds, GATES)}
    assert list(found) == ["text/en", "text/de"] == list(text.metrics(["en", "de"]))
    kl = np.concatenate([rounds[0].distances.kl, rounds[2].distances.kl])
    assert value(metric(found["text/en"], "mean KL").loss) == pytest.approx(kl.mean())


@pytest.mark.parametrize("family", [text, drift, next_token])
def test_a_family_says_before_what_it_will_fill(family: Any) -> None:
    found = {one.name: tuple(m.name for m in one.metrics) for one in family.slices([read(), read("de", 2)], GATES)}
    assert found == dict(family.metrics(["en", "de"]))
    assert list(family.slices([], GATES)) == [] and family.metrics([]) == {}


@pytest.mark.parametrize("family", [text, drift, next_token])
def test_gates_are_judged_by_wider_intervals_than_people_are_shown(family: Any) -> None:
    for found in one(family.slices([read()], GATES)).metrics:
        if found.name == "max KL":
            assert bounds(found) == (value(found.loss), math.inf)
            continue
        assert isinstance(found.loss, Measured) and found.loss.low is not None and found.loss.high is not None
        low, high = bounds(found)
        assert low <= found.loss.low <= found.loss.value <= found.loss.high <= high
        assert low < high
        assert "95 %" in found.loss.how


def test_a_mean_is_bounded_by_students_t_over_blocks() -> None:
    stats = pytest.importorskip("scipy.stats")
    given = ReadText("x", "X", 5, 0, 64, read(windows=5).distances)  # five blocks of equal size
    values = given.distances.kl[: 5 * 64]
    blocks = values.reshape(5, 64).mean(axis=1)
    figure = Clusters.of([given], 0.999).mean(values)
    expected = stats.t.interval(0.999, 4, blocks.mean(), blocks.std(ddof=1) / math.sqrt(5))
    assert figure.bounds == pytest.approx(expected)
    assert isinstance(figure.reading, Measured)
    wider = stats.t.interval(0.95, 4, blocks.mean(), blocks.std(ddof=1) / math.sqrt(5))
    assert (figure.reading.low, figure.reading.high) == pytest.approx(wider)


def test_intervals_hold_though_neighbours_are_alike() -> None:
    random, hits = np.random.default_rng(5), {"mean": 0, "share": 0, "quantile": 0}
    clusters, trials = Clusters.of([read()], 0.95), 120
    for _ in range(trials):
        kinds = np.repeat(random.normal(0, 1, WINDOWS * 4), 60)[: WINDOWS * EACH]  # runs that are alike
        noise = kinds + random.normal(0, 1, len(kinds))
        truth = {"mean": 0.0, "share": 0.5, "quantile": 2**0.5 * 0.6744897501960817 + 10}
        figures = {
            "mean": clusters.mean(noise),
            "share": clusters.share((noise > 0).astype(float)),
            "quantile": clusters.quantile(noise + 10, 0.75),
        }
        for name, figure in figures.items():
            assert figure.bounds is not None
            hits[name] += figure.bounds[0] <= truth[name] <= figure.bounds[1]
    assert all(count / trials > 0.87 for count in hits.values()), hits


def test_a_share_without_an_exception_is_not_certain() -> None:
    found = one(text.slices([read(same_top=np.ones_like)], GATES))
    low, high = bounds(metric(found, "same top"))
    assert low == 0.0 and 0.001 < high < 0.02


def test_drift_shows_along_the_window_and_nowhere_else() -> None:
    def late(kl: Any) -> Any:
        return kl + 0.3 * np.tile(np.arange(EACH) >= 112, WINDOWS)  # from position 128 on

    sound, broken = (one(drift.slices([given], GATES)) for given in (read(), read(kl=late)))
    assert bounds(sound.metrics[0])[0] < 0 < bounds(sound.metrics[0])[1] < 0.1
    assert bounds(broken.metrics[0])[0] > 0.25
    parts = {part.name: value(part.metric.loss) for part in broken.parts}
    assert list(parts) == ["positions 16 to 63", "positions 64 to 127", "positions 128 to 254"]
    assert parts["positions 64 to 127"] < 0.02 < 0.3 < parts["positions 128 to 254"]
    assert sum(part.items for part in broken.parts) == WINDOWS * EACH
    kl = read(kl=late).distances.kl.reshape(WINDOWS, EACH)
    assert value(broken.metrics[0].loss) == pytest.approx(kl[:, -59:].mean() - kl[:, :59].mean())


def test_calibration_is_that_of_equal_bins_and_gained_over_confidence_shows() -> None:
    given = read(confidence=lambda sure: sure**0.5)
    found, d = one(next_token.slices([given], GATES)), given.distances
    for side, (sure, right) in {
        "reference": (d.reference_confidence, d.reference_right),
        "candidate": (d.confidence, d.right),
    }.items():
        order = np.argsort(sure, kind="stable").tolist()
        bins = [order[len(order) * k // 15 : len(order) * (k + 1) // 15] for k in range(15)]
        error = sum(len(each) / len(sure) * abs(sure[each].mean() - right[each].mean()) for each in bins)
        assert value(getattr(found.metrics[0], side)) == pytest.approx(error)
        assert value(getattr(metric(found, "Brier"), side)) == pytest.approx(((sure - right) ** 2).mean())
    assert bounds(found.metrics[0])[0] > 0.05
    assert bounds(metric(found, "over-confidence"))[0] > 0.05
    calm = one(next_token.slices([read()], GATES))
    assert bounds(calm.metrics[0])[0] < 0 < bounds(calm.metrics[0])[1] < 0.01
    assert [part.name for part in calm.parts] == ["en"]


def test_what_is_not_finite_is_unmeasured_and_counted() -> None:
    def broken(values: Any) -> Any:
        return np.where(np.arange(len(values)) == 7, np.nan, values)

    given = read(kl=broken, nll=broken, confidence=broken)
    why = Unmeasured(f"1 of {WINDOWS * EACH} positions are not finite")
    found = one(text.slices([given], GATES))
    assert (
        metric(found, "mean KL").loss == metric(found, "p99 KL").loss == metric(found, "perplexity ratio").loss == why
    )
    assert metric(found, "mean KL").bounds is None
    assert isinstance(one(drift.slices([given], GATES)).metrics[0].loss, Unmeasured)
    assert one(next_token.slices([given], GATES)).metrics[0].loss == why


def test_bits_of_equally_long_tokens_have_the_interval_of_a_mean() -> None:
    fours = np.full(WINDOWS * EACH, 4)
    given = apart(fours, fours)
    found, clusters = metric(one(text.slices([given], GATES)), "bits per byte"), Clusters.of([given], GATES.each)
    d = read().distances
    bits = (d.reference_nll / math.log(2) / 4, d.nll / math.log(2) / 4)
    for reading, values in zip((found.reference, found.candidate, found.loss), (*bits, bits[1] - bits[0]), strict=True):
        expected = clusters.mean(values)
        assert isinstance(reading, Measured) and isinstance(expected.reading, Measured)
        assert (reading.value, reading.low, reading.high) == pytest.approx(
            (expected.reading.value, expected.reading.low, expected.reading.high)
        )
    assert expected.bounds is not None and bounds(found) == pytest.approx(expected.bounds)


def test_bits_of_other_tokens_have_the_error_of_the_jackknife() -> None:
    random = np.random.default_rng(3)
    given = apart(random.integers(1, 7, WINDOWS * EACH), random.integers(0, 8, WINDOWS * EACH))
    found, clusters = metric(one(text.slices([given], GATES)), "bits per byte"), Clusters.of([given], GATES.each)
    own, bits = clusters.sums, given.bits
    assert bits is not None
    sums = [own(values.astype(float)) for values in (bits.nll, bits.nbytes, bits.reference_nll, bits.reference_nbytes)]
    count = len(clusters.sizes)
    left = np.array([[each.sum() - each[n] for each in sums] for n in range(count)])
    ratios = (left[:, 0] / left[:, 1] - left[:, 2] / left[:, 3]) / math.log(2)
    error = math.sqrt((count - 1) / count * ((ratios - ratios.mean()) ** 2).sum())
    low, high = bounds(found)
    stats = pytest.importorskip("scipy.stats")
    assert (high - low) / 2 == pytest.approx(error * stats.t.ppf(0.5 + GATES.each / 2, count - 1), rel=0.02)
    assert (low + high) / 2 == pytest.approx(value(found.loss))


def test_models_of_other_vocabularies_have_bits_and_no_distance() -> None:
    given = apart(np.full(WINDOWS * EACH, 4), np.full(WINDOWS * EACH, 4))
    *distances, bits = one(text.slices([given], GATES)).metrics
    more = (*one(drift.slices([given], GATES)).metrics, *one(next_token.slices([given], GATES)).metrics)
    for each in (*distances, *more):
        assert each.reference == each.candidate == each.loss == Unmeasured("its vocabulary is another")
        assert each.bounds is None
    sound = {each.name: (each.unit, each.better) for each in one(text.slices([read()], GATES)).metrics}
    assert {each.name: (each.unit, each.better) for each in (*distances, bits)} == sound
    assert isinstance(bits.loss, Measured)


def test_bits_need_bytes() -> None:
    nothing = np.zeros(WINDOWS * EACH, np.int64)
    assert metric(one(text.slices([apart(nothing, nothing)], GATES)), "bits per byte").loss == Unmeasured(
        "nothing was counted"
    )


def test_one_block_has_no_interval() -> None:
    figure = Clusters.of([ReadText("x", "X", 1, 16, 40, read().distances)], 0.99).mean(np.arange(40.0))
    assert isinstance(figure.reading, Measured)
    assert (figure.reading.value, figure.reading.low, figure.bounds) == (19.5, None, None)
