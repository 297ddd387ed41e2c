"""What a request comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.profiles import load_profile
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.budget import Budget
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.plan import Predictions
from edgeshrink.core.reading import Estimate, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.errors import PlanError, UnsupportedModel
from edgeshrink.planning.gguf import wants_imatrix
from edgeshrink.planning.layout import layout
from edgeshrink.planning.resolve import Situation, candidates, plan_for, predicted_fit, preferred_scheme


def situation(stories: Path, request: Request) -> Situation:
    facts = inspect_model(str(stories))
    return Situation(
        request=request,
        facts=facts,
        target=load_target("jetson"),
        profile=load_profile("jetson-orin-nano-8gb"),
        layout=layout(facts),
        header=(KeyValue("general.architecture", "string", "llama"),),
        tokenizer_bytes=1000,
        calibration=None,
        on_this_host=False,
    )


def test_without_a_scheme_the_whole_ladder_is_considered(stories: Path) -> None:
    names = [candidate.scheme for candidate in candidates(situation(stories, Request()))]
    assert tuple(names) == load_target("jetson").formats["gguf"].schemes


def test_a_scheme_is_known_in_any_case(stories: Path) -> None:
    assert [candidate.scheme for candidate in candidates(situation(stories, Request(scheme="q4_k_m")))] == ["Q4_K_M"]


def test_the_context_is_never_longer_than_the_model_was_trained_on(stories: Path) -> None:
    plan = plan_for(situation(stories, Request(context=100_000)), "Q8_0")
    assert plan.context == 512
    assert "512" in plan.notes[0]


def test_a_format_that_the_target_does_not_take_is_refused_with_those_it_does(stories: Path) -> None:
    with pytest.raises(PlanError, match="tflite") as caught:
        candidates(situation(stories, Request(format="tflite")))
    assert "gguf" in caught.value.hint


def test_every_format_of_a_target_plans_its_own_ladder(demo_model: Path) -> None:
    for name, entry in load_target("jetson").formats.items():
        found = situation(demo_model, Request(format=name))
        ladder = candidates(found)
        assert tuple(candidate.scheme for candidate in ladder) == entry.schemes
        assert preferred_scheme(found, ladder) == entry.preferred_scheme
        plan = plan_for(found, entry.preferred_scheme)
        assert (plan.format, plan.runtime, plan.delegate) == (name, entry.runtime, entry.delegates[0])


def test_a_rung_that_the_delegate_cannot_compute_is_left_out(demo_model: Path) -> None:
    found = situation(demo_model, Request(format="onnx", delegate="cuda"))
    ladder = candidates(found)
    assert "fp32" not in [candidate.scheme for candidate in ladder]
    assert preferred_scheme(found, ladder) in [candidate.scheme for candidate in ladder]
    with pytest.raises(PlanError, match="cuda"):
        candidates(situation(demo_model, Request(format="onnx", delegate="cuda", scheme="fp32")))


def test_a_format_that_cannot_run_the_model_is_refused(stories: Path) -> None:
    with pytest.raises(UnsupportedModel, match="multiple of 16"):
        candidates(situation(stories, Request(format="onnx")))


@pytest.mark.parametrize(
    ("imatrix", "scheme", "used"),
    [
        ("default", "Q4_K_M", True),
        ("default", "Q5_K_M", False),
        ("auto", "Q8_0", True),
        ("auto", "F16", False),
        ("none", "Q2_K", False),
        ("file.gguf", "Q6_K", True),
    ],
)
def test_the_importance_matrix_is_on_below_five_bits_or_when_asked_for(imatrix: str, scheme: str, used: bool) -> None:
    assert wants_imatrix(Request(imatrix=imatrix), scheme) is used


def test_steps_name_the_importance_matrix_only_where_it_is_used(stories: Path) -> None:
    with_it = plan_for(situation(stories, Request()), "Q4_K_M")
    without = plan_for(situation(stories, Request()), "Q8_0")
    assert "importance" in [step.id for step in with_it.steps]
    assert "importance" not in [step.id for step in without.steps]


def predictions(artifact_bytes: float, decode: Estimate | Unmeasured) -> Predictions:
    no = Unmeasured("not asked")
    return Predictions(Estimate(artifact_bytes, ""), no, decode, no, no, no, no)


def test_the_first_line_over_the_budget_decides() -> None:
    budget = Budget.model_validate({"artifact_bytes_max": 100, "decode_tok_s_min": 10})
    assert predicted_fit(budget, predictions(101, Estimate(20, ""))) == (False, "file over the budget")
    assert predicted_fit(budget, predictions(100, Estimate(9, ""))) == (False, "decode speed under the budget")
    assert predicted_fit(budget, predictions(100, Estimate(10, ""))) == (True, "inside the budget")


def test_a_line_without_a_prediction_is_named() -> None:
    budget = Budget.model_validate({"artifact_bytes_max": 100, "decode_tok_s_min": 10})
    fits, why = predicted_fit(budget, predictions(100, Unmeasured("unknown")))
    assert fits is True
    assert "not predicted: decode speed" in why


def test_elsewhere_nobody_counts_the_python_process_that_measures_here(stories: Path) -> None:
    plan = plan_for(situation(stories, Request(format="executorch")), "fp32")
    assert isinstance(plan.predictions.peak_rss_bytes, Estimate)
    assert plan.predictions.peak_rss_bytes.value < 50e6
    assert "the app itself is not counted" in plan.predictions.peak_rss_bytes.method
