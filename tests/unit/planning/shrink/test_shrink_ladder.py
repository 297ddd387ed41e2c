"""Which smaller model is tried, and which budget is named where none holds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from shrunk_models import planned, shrinkable

from edgeshrink.core.budget import Budget
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.reading import Estimate
from edgeshrink.core.shape import Shape
from edgeshrink.planning.resolve import Situation, candidate
from edgeshrink.planning.shrink.distances import Distances
from edgeshrink.planning.shrink.ladder import Attempt, Refusal, Tried, following_attempt
from edgeshrink.planning.shrink.shaped import parameters, shaped

FLOOR = 0.1


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ModelFacts:
    return shrinkable(tmp_path_factory.mktemp("model"), "llama", vocab_size=4096, num_hidden_layers=6)


@pytest.fixture(scope="module")
def whole(facts: ModelFacts) -> Shape:
    return Shape.of(facts)


def size(situation: Situation, scheme: str, shape: Shape) -> float:
    found = candidate(shaped(situation, shape), scheme).predictions.artifact_bytes
    assert isinstance(found, Estimate)
    return found.value


def tight(facts: ModelFacts, scheme: str, share: float = 1.0, **lines: object) -> Situation:
    """A budget with room for `share` of the bytes that `scheme` of the whole model takes, and a floor of 0.1 nats."""
    room = int(share * size(planned(facts), scheme, Shape.of(facts)))
    return planned(
        facts,
        Budget.model_validate({"artifact_bytes_max": room, "quality": {"mean_kl_max": FLOOR}, **lines}),
    )


def share_of(facts: ModelFacts, shape: Shape) -> float:
    return parameters(facts, shape) / parameters(facts, Shape.of(facts))


def attempt(found: Attempt | Refusal) -> Attempt:
    assert isinstance(found, Attempt), found
    return found


def refusal(found: Attempt | Refusal) -> Refusal:
    assert isinstance(found, Refusal), found
    return found


def test_begins_with_the_fewest_bits_that_held_the_floor_and_the_largest_shapes_that_fit(
    facts: ModelFacts, whole: Shape
) -> None:
    situation = tight(facts, "Q3_K_M")
    tried = [
        Tried("Q3_K_M", whole, False, True),
        Tried("Q6_K", whole, True, False),
        Tried("Q4_K_M", whole, True, False),
    ]
    found = attempt(following_attempt(situation, tried))
    assert found.scheme == "Q4_K_M"
    assert "holds the floor with the whole model" in found.why
    budget = situation.profile.budget.artifact_bytes_max
    assert budget is not None
    assert found.shape == found.shapes[0] and 1 < len(found.shapes) <= 12
    for shape in found.shapes:
        assert size(situation, "Q4_K_M", shape) <= budget
    assert max(size(situation, "Q4_K_M", shape) for shape in found.shapes) > 0.95 * budget
    assert f"{share_of(facts, found.shape):.0%} of the parameters" in found.why


def test_a_scheme_that_only_just_held_the_floor_leaves_no_room_for_pruning(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_S")
    tried = [
        Tried("Q3_K_S", whole, False, True, mean_kl=0.3),
        Tried("Q3_K_M", whole, True, False, mean_kl=0.09),
        Tried("Q4_K_M", whole, True, False, mean_kl=0.04),
    ]
    assert attempt(following_attempt(situation, tried)).scheme in ("IQ4_XS", "Q4_K_S", "Q4_K_M")


def test_where_no_rung_held_the_floor_the_one_that_would_is_estimated(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q2_K")
    tried = [Tried("Q2_K", whole, False, True, mean_kl=0.5)]
    found = attempt(following_attempt(situation, tried))
    # Two bits more are 16 times nearer: 0.5 -> 0.03.
    bits = {name: candidate(situation, name).bits_per_weight for name in ("Q2_K", found.scheme)}
    assert 0.5 * 4 ** (bits["Q2_K"] - bits[found.scheme]) <= FLOOR / 2
    assert "by estimate" in found.why


def test_without_any_distance_the_preferred_scheme_is_next(facts: ModelFacts, whole: Shape) -> None:
    found = attempt(following_attempt(tight(facts, "Q2_K"), [Tried("Q2_K", whole, False, True)]))
    assert found.scheme == "Q4_K_M"


def test_only_the_axes_that_are_named_shrink(facts: ModelFacts, whole: Shape) -> None:
    found = attempt(following_attempt(tight(facts, "Q3_K_M"), [Tried("Q4_K_M", whole, True, False)], axes=("depth",)))
    assert all(replace(shape, layers=6) == whole for shape in found.shapes)


def test_after_pruning_cost_more_there_are_fewer_bits_on_more_of_the_model(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    plain = [Tried("Q3_K_M", whole, False, True, mean_kl=0.12), Tried("Q6_K", whole, True, False, mean_kl=0.002)]
    less = replace(whole, ffn=512)
    found = attempt(following_attempt(situation, [*plain, Tried("Q6_K", less, False, True, mean_kl=0.4)]))
    bits = {name: candidate(situation, name).bits_per_weight for name in ("Q6_K", found.scheme)}
    assert bits[found.scheme] < bits["Q6_K"]
    assert share_of(facts, found.shape) > share_of(facts, less)
    assert "fewer bits on more" in found.why and "0.398 nats by pruning, 0.002 by bits" in found.why


def test_after_bits_cost_more_there_are_more_bits_on_less_of_the_model(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_S")
    plain = [Tried("Q3_K_S", whole, False, True, mean_kl=0.3), Tried("Q4_K_S", whole, True, False, mean_kl=0.08)]
    first = candidate_like(facts, 0.95)
    found = attempt(following_attempt(situation, [*plain, Tried("Q4_K_S", first, False, True, mean_kl=0.11)]))
    bits = {name: candidate(situation, name).bits_per_weight for name in ("Q4_K_S", found.scheme)}
    assert bits[found.scheme] > bits["Q4_K_S"]
    assert share_of(facts, found.shape) < share_of(facts, first)
    assert "more bits on less" in found.why


def candidate_like(facts: ModelFacts, share: float) -> Shape:
    whole = Shape.of(facts)
    return replace(whole, ffn=round(share * whole.ffn / 256) * 256)


def test_what_fails_the_floor_and_the_budget_gives_way_as_what_fails_the_floor(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    plain = [Tried("Q3_K_M", whole, False, True, mean_kl=0.12), Tried("Q6_K", whole, True, False, mean_kl=0.002)]
    both = Tried("Q6_K", replace(whole, ffn=512), False, False, mean_kl=0.4)
    assert "fewer bits on more" in attempt(following_attempt(situation, [*plain, both])).why


def test_bits_that_alone_are_beyond_the_floor_are_not_tried(facts: ModelFacts, whole: Shape) -> None:
    """Q3_K_S measured at three times the floor: everything near it is out, and nothing else is below Q4_K_M."""
    situation = tight(facts, "Q2_K")
    plain = [Tried("Q2_K", whole, False, True, mean_kl=3.0), Tried("Q4_K_M", whole, True, False, mean_kl=0.09)]
    found = following_attempt(situation, [*plain, Tried("Q4_K_M", replace(whole, layers=3), False, True, mean_kl=0.5)])
    assert "fewer bits on more is no option" in refusal(found).why


def test_a_result_that_measures_over_the_budget_is_made_smaller(facts: ModelFacts, whole: Shape) -> None:
    base = tight(facts, "Q8_0")
    predicted = candidate(base, "Q8_0").predictions.peak_rss_bytes
    assert isinstance(predicted, Estimate)
    situation = tight(facts, "Q8_0", artifact_bytes_max=None, peak_rss_bytes_max=int(0.97 * predicted.value))
    plain = Tried("Q8_0", whole, True, False)
    first = attempt(following_attempt(situation, [plain]))
    shrunk = candidate(shaped(situation, first.shape), "Q8_0").predictions.peak_rss_bytes
    assert isinstance(shrunk, Estimate)
    over = Tried(first.scheme, first.shape, None, False, measured=(("peak_rss_bytes", 1.1 * shrunk.value),))
    second = attempt(following_attempt(situation, [plain, over]))
    assert second.scheme == first.scheme
    again = candidate(shaped(situation, second.shape), "Q8_0").predictions.peak_rss_bytes
    assert isinstance(again, Estimate)
    assert 1.1 * again.value <= 0.97 * predicted.value < 1.1 * shrunk.value


def test_a_whole_model_that_only_measures_over_the_budget_is_shrunk_too(facts: ModelFacts, whole: Shape) -> None:
    situation = planned(facts, Budget.model_validate({"decode_tok_s_min": 50}), scheme="Q8_0")
    predicted = candidate(situation, "Q8_0").predictions.decode_tok_s
    assert isinstance(predicted, Estimate) and predicted.value > 60
    slow = Tried("Q8_0", whole, True, False, measured=(("decode_tok_s", 40.0),))
    found = attempt(following_attempt(situation, [slow]))
    faster = candidate(shaped(situation, found.shape), "Q8_0").predictions.decode_tok_s
    assert isinstance(faster, Estimate)
    assert faster.value * 40 / predicted.value >= 50


def test_a_result_that_is_over_without_a_figure_is_undercut(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q8_0", 1.01)
    tried = [Tried("Q8_0", whole, True, False)]
    first = attempt(following_attempt(situation, tried))
    assert size(situation, "Q8_0", first.shape) <= size(situation, "Q8_0", whole) / 1.1
    second = attempt(following_attempt(situation, [*tried, Tried("Q8_0", first.shape, None, False)]))
    assert size(situation, "Q8_0", second.shape) <= size(situation, "Q8_0", first.shape) / 1.1


def test_measuring_better_than_predicted_loosens_nothing(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    plain = Tried("Q4_K_M", whole, True, False)
    better = replace(plain, measured=(("artifact_bytes", 0.5 * size(situation, "Q4_K_M", whole)),))
    assert following_attempt(situation, [better]) == following_attempt(situation, [plain])


def test_where_the_budget_has_room_and_the_floor_fails_nothing_smaller_helps(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "F16", 2.0)
    found = refusal(following_attempt(situation, [Tried("F16", whole, False, True, failed=("text/prose",))]))
    assert "would not mend it" in found.why
    assert found.nearest.startswith("this budget without text/prose (F16 of ")


def test_the_floor_that_would_have_passed_is_named_with_all_that_failed(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "F16", 2.0)
    far = Tried("Q4_K_M", whole, False, True, mean_kl=0.331, failed=("tools/decision",))
    near = Tried("Q8_0", whole, False, True, mean_kl=0.01, failed=("text/prose", "tools/decision"))
    assert refusal(following_attempt(situation, [far])).nearest.startswith(
        "this budget with mean KL <= 0.34 and without tools/decision (Q4_K_M of "
    )
    assert refusal(following_attempt(situation, [far, near])).nearest.startswith(
        "this budget without text/prose, tools/decision (Q8_0 of "
    )


def test_a_model_of_which_next_to_nothing_could_stay_is_not_begun(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q2_K", 0.3)
    tried = [Tried("Q2_K", whole, False, False, mean_kl=0.3)]
    assert "no smaller shape of at least 25% of the parameters" in refusal(following_attempt(situation, tried)).why
    assert share_of(facts, attempt(following_attempt(situation, tried, least=0.1)).shape) < 0.25


def test_ends_after_as_many_attempts_as_were_allowed(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    tried = [
        Tried("Q3_K_M", whole, False, True, mean_kl=0.4),
        Tried("Q4_K_M", whole, True, False, mean_kl=0.02),
        Tried("Q4_K_M", replace(whole, ffn=1536), False, True, mean_kl=0.137),
    ]
    found = refusal(following_attempt(situation, tried, limit=1))
    assert "no smaller model that was made holds the budget and its floor together" in found.why
    million = parameters(facts, whole) / 1e6
    less = parameters(facts, replace(whole, ffn=1536)) / 1e6
    bytes_ = size(situation, "Q4_K_M", whole) / 2**20
    told = re.fullmatch(
        rf"([\d.]+) MiB with Q4_K_M of {million:.3g} M parameters, or this budget with mean KL <= 0\.14 "
        rf"\(Q4_K_M of {less:.3g} M parameters\)",
        found.nearest,
    )
    assert told is not None
    assert bytes_ <= float(told[1]) < bytes_ + 0.1


def test_the_nearest_budget_is_that_of_the_smallest_that_held_the_floor(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    small = replace(whole, ffn=2048)
    measured = (("artifact_bytes", 50.04 * 2**20), ("peak_rss_bytes", 900.0 * 2**20))
    tried = [Tried("Q6_K", whole, True, False), Tried("Q5_K_M", small, True, False, measured=measured)]
    found = refusal(following_attempt(situation, tried, limit=1))
    assert found.nearest.startswith("50.1 MiB with Q5_K_M of ")


def test_where_nothing_held_the_floor_the_nearest_budget_is_an_estimate(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q2_K", 0.2)
    found = refusal(following_attempt(situation, [Tried("Q2_K", whole, False, False, mean_kl=0.3)]))
    assert "no smaller shape of at least" in found.why
    scheme = re.match(r"by estimate [\d.]+ MiB with (\w+) of ", found.nearest)
    assert scheme is not None
    bits = [candidate(situation, name).bits_per_weight for name in ("Q2_K", scheme[1])]
    assert 0.3 * 4 ** (bits[0] - bits[1]) <= FLOOR


def test_what_could_not_be_judged_is_not_built_upon(facts: ModelFacts, whole: Shape) -> None:
    tried = [Tried("Q4_K_M", whole, True, False), Tried("Q4_K_M", replace(whole, layers=5), None, None)]
    assert "could not be judged" in refusal(following_attempt(tight(facts, "Q3_K_M"), tried)).why


def test_a_gguf_is_refused_in_words(facts: ModelFacts, whole: Shape) -> None:
    situation = tight(facts, "Q3_K_M")
    gguf = replace(situation, facts=replace(facts, source=replace(facts.source, kind="gguf")))
    assert "Hugging Face folder" in refusal(following_attempt(gguf, [Tried("Q4_K_M", whole, True, False)])).why


def test_every_walk_ends_and_repeats_nothing(facts: ModelFacts, whole: Shape) -> None:
    """Whatever comes of the attempts, they end within their number in a refusal that says what is near."""
    situation = tight(facts, "Q3_K_S")
    plain = [Tried("Q3_K_S", whole, False, True, mean_kl=0.5), Tried("Q5_K_M", whole, True, False, mean_kl=0.01)]
    for outcomes in (
        ("kl", 0.2, "kl", 0.3),
        ("kl", 0.02, "over", 0.2),
        ("over", 0.1, "kl", 0.9),
        ("kl", 0.1, "kl", 0.1),
    ):
        tried = list(plain)
        seen = set()
        for kind, distance in zip(outcomes[::2], outcomes[1::2], strict=True):
            found = following_attempt(situation, tried)
            if isinstance(found, Refusal):
                break
            assert (found.scheme, found.shape) not in seen
            seen.add((found.scheme, found.shape))
            over = (("artifact_bytes", 1.2 * size(situation, found.scheme, found.shape)),) if kind == "over" else ()
            assert isinstance(distance, float)
            tried.append(
                Tried(found.scheme, found.shape, kind == "over", kind != "over", mean_kl=distance, measured=over)
            )
        assert refusal(following_attempt(situation, tried, limit=1)).nearest


def test_distances_fall_by_four_with_each_bit_from_the_nearest_rung_that_was_measured(whole: Shape) -> None:
    bits = {"Q2": 2.0, "Q3": 3.0, "Q4": 4.0, "Q8": 8.0}
    known = [Tried("Q2", whole, False, True, mean_kl=0.8), Tried("Q4", whole, True, False, mean_kl=0.01)]
    found = Distances(bits, known, 0.1)
    assert found.of_bits("Q2") == 0.8
    assert found.of_bits("Q8") == pytest.approx(0.01 / 256)
    assert Distances(bits, known[:1], 0.1).of_bits("Q3") == pytest.approx(0.2)
    assert found.leaves("Q4", 0.5) and not found.leaves("Q2", 0.5)
    assert found.hopeless("Q2") and not found.hopeless("Q4")
    assert found.of_pruning(Tried("Q4", whole, False, True, mean_kl=0.06)) == pytest.approx(0.05)
    assert found.of_pruning(Tried("Q2", whole, False, True, mean_kl=0.7)) == 0.0


def test_without_measured_distances_or_a_floor_nothing_is_estimated(whole: Shape, tmp_path: Path) -> None:
    none = Distances({"Q4": 4.0}, [Tried("Q4", whole, True, True)], 0.1)
    assert none.of_bits("Q4") is None and none.of_pruning(Tried("Q4", whole, False, True, mean_kl=0.2)) is None
    assert not none.leaves("Q4", 1.0) and not none.hopeless("Q4")
    unlimited = Distances({"Q4": 4.0}, [Tried("Q4", whole, True, True, mean_kl=9.0)], None)
    assert not unlimited.hopeless("Q4") and not unlimited.leaves("Q4", 1.0)
