"""A suite on two models that cut text differently: what they write is compared, and what text costs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from built_gguf import build_gguf

from edgeshrink.core.behaviour import Behaviour, Slice
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.suite import FamilyPlan, Suite, TextPlan
from edgeshrink.engine.shrink.failures import failures_of
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.evaluate.slices.registry import READING
from edgeshrink.evaluate.subject import Subject
from edgeshrink.store import Store

SUITE = Suite(
    "both",
    asking=(FamilyPlan("arithmetic", 12),),
    reading=tuple(READING),
    texts=(TextPlan("en", "English"), TextPlan("de", "German")),
    text_tokens=512,
)


@pytest.fixture(scope="module")
def behaviour(demo_model: Path, stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Behaviour:
    folder = tmp_path_factory.mktemp("models")
    teacher, student = (
        Side(Subject(build_gguf(source, folder / f"{name}.gguf", "Q8_0").path, "llama_cpp", "cpu"), name * 8, name)
        for source, name in ((demo_model, "teacher"), (stories, "student"))
    )
    store = Store(folder / "store")
    return run_suite(Examination(SUITE, teacher, student, QualityFloor(), 1, 256, 1, store.run))


def read_slices(behaviour: Behaviour) -> Iterator[Slice]:
    return (one for one in behaviour.slices if one.family in ("text", "calibration", "long-context"))


def test_distances_say_why_there_are_none(behaviour: Behaviour) -> None:
    names = {one.name for one in read_slices(behaviour)}
    assert names >= {"text/en", "text/de", "long-context/drift", "calibration/next-token"}
    for one in read_slices(behaviour):
        for metric in one.metrics if one.name != "calibration/answers" else ():
            if metric.name != "bits per byte":
                assert isinstance(metric.loss, Unmeasured), metric
                assert metric.loss.reason.startswith("its vocabulary is another: 512 tokens, the reference has 4,096")
    (note,) = (note for note in behaviour.notes if "vocabulary" in note)
    assert note.endswith("compared in bits per byte")


def test_what_text_costs_is_known_of_both(behaviour: Behaviour) -> None:
    """The teacher read books in both languages, the student small stories in English alone."""
    costs = {}
    for name in ("text/en", "text/de"):
        one = behaviour.slice(name)
        metric = None if one is None else one.metric("bits per byte")
        assert metric is not None and metric.bounds is not None and metric.unit == "bits/byte"
        assert isinstance(metric.reference, Measured) and isinstance(metric.candidate, Measured)
        assert isinstance(metric.loss, Measured) and metric.loss.low is not None
        assert metric.loss.value == pytest.approx(metric.candidate.value - metric.reference.value)
        assert 0.5 < metric.reference.value < 3 and metric.bounds[0] < metric.loss.low < metric.loss.value
        costs[name] = metric.candidate.value, metric.loss.value
    assert costs["text/de"][0] > costs["text/en"][0] > 1 and costs["text/de"][1] > costs["text/en"][1] > 0


def test_what_the_student_cannot_do_is_lost(behaviour: Behaviour) -> None:
    (told,) = (one for one in failures_of(behaviour) if one.slice == "arithmetic")
    assert told.items == 12 and told.lost > 6 and told.new == 0 and told.lost + told.inherited == 12
