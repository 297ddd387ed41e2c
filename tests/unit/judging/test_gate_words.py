"""Gates in words, on a command line and in a profile."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from edgeshrink.catalog.toml import read_toml
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.gates import SliceGate, default_gates
from edgeshrink.core.profile import DeviceProfile
from edgeshrink.errors import DataError, UsageError
from edgeshrink.judging.gate_lookup import gates_for, limits_of
from edgeshrink.judging.gate_words import with_gates

PROFILE = Path(__file__).resolve().parents[3] / "profiles" / "laptop-4core-8gb.toml"


def limits(floor: QualityFloor, name: str, first: str = "right") -> dict[str, dict[str, float]]:
    return {held.metric: limits_of(held.gate) for held in gates_for(floor, name, first)}


def test_the_most_specific_pattern_holds() -> None:
    floor = with_gates(
        QualityFloor(),
        ["tools/*:max-degradation=0.03", "tools/decision:max-degradation=0.02", "t*:max-degradation=0.9"],
    )
    assert limits(floor, "tools/decision") == {"right": {"max_degradation": 0.02}}
    assert limits(floor, "tools/json") == {"right": {"max_degradation": 0.03}}
    assert limits(floor, "arithmetic") == {"right": {"max_degradation": 0.05}}
    assert limits(floor, "text/de", "mean KL") == {"mean KL": {"max_degradation": 0.1}}


def test_a_word_changes_the_limit_it_names_and_keeps_the_others() -> None:
    floor = with_gates(QualityFloor(), ["tools/json:threshold=0.9"])
    assert limits(floor, "tools/json") == {"right": {"max_degradation": 0.05, "threshold": 0.9}}
    assert limits(floor, "tools/function") == {"right": {"max_degradation": 0.05}}


def test_another_metric_has_a_gate_beside_the_first_one_s() -> None:
    floor = with_gates(QualityFloor(), ["text/de:p99 KL:max-degradation=2", "text/de:max-degradation=0.07"])
    assert limits(floor, "text/de", "mean KL") == {
        "mean KL": {"max_degradation": 0.07},
        "p99 KL": {"max_degradation": 2.0},
    }


def test_the_first_metric_by_its_name_is_the_same_gate() -> None:
    floor = with_gates(QualityFloor(), ["tools/json:right:max-degradation=0.01"])
    assert limits(floor, "tools/json") == {"right": {"max_degradation": 0.01}}


def test_several_limits_in_one_word() -> None:
    floor = with_gates(QualityFloor(), ["own/a:max-degradation=0.02, percent-max-degradation=3,threshold=-1"])
    assert limits(floor, "own/a") == {
        "right": {"max_degradation": 0.02, "percent_max_degradation": 3.0, "threshold": -1.0}
    }


def test_a_gate_is_switched_off() -> None:
    floor = with_gates(QualityFloor(), ["text/*:off", "tools/json:off"])
    assert limits(floor, "text/de", "mean KL") == {}
    assert limits(floor, "tools/json") == {}
    assert limits(floor, "tools/function") != {}


def test_the_worst_slice_and_exchange_rates() -> None:
    words = [
        "worst-slice:max-degradation=0.1",
        "exchange:decode-tok-s:percent-min-improvement=5",
        "exchange:tools/*:artifact-bytes:percent-min-improvement=2",
    ]
    floor = with_gates(QualityFloor(), words)
    assert floor.worst_slice == SliceGate.model_validate({"max-degradation": 0.1})
    assert [(rate.slices, rate.gain, rate.percent_min_improvement) for rate in floor.exchange] == [
        ("*", "decode-tok-s", 5.0),
        ("tools/*", "artifact-bytes", 2.0),
    ]
    off = with_gates(floor, ["worst-slice:off", "exchange:decode-tok-s:off"])
    assert off.worst_slice is None
    assert [rate.gain for rate in off.exchange] == ["artifact-bytes"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("tools/decision", "names no limit"),
        ("tools/decision:0.02", "'0.02' is no limit"),
        ("tools/decision:max-degradation", "'max-degradation' is no limit"),
        ("tools/decision:max-degredation=0.02", "'max-degredation' is no limit"),
        ("tools/decision:max-degradation=two", "'two' is no number"),
        ("tools/decision:max-degradation=-0.1", "greater than or equal to 0"),
        ("tools/decision:max-degradation=nan", "'nan' is no limit"),
        ("tools/decision::max-degradation=1", "a name is missing"),
        (":max-degradation=1", "names no limit"),
        ("exchange:speed:percent-min-improvement=5", "what is gained is one of"),
        ("exchange:percent-min-improvement=5", "what is gained is one of"),
        ("exchange:ttft-ms:max-degradation=5", "'max-degradation' is no limit"),
        ("exchange:ttft-ms:percent-min-improvement=0", "greater than 0"),
        ("tools/\x1b[31m:max-degradation=x", "is no number"),
    ],
)
def test_a_wrong_word_is_refused_with_what_is_wrong(word: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        with_gates(QualityFloor(), [word])
    assert said in refused.value.message
    assert "\x1b" not in refused.value.message
    assert "max-degradation" in refused.value.hint


def test_a_profile_s_gates_lie_over_ours(tmp_path: Path) -> None:
    file = tmp_path / PROFILE.name
    gates = """
[budget.quality.slices]
"tools/decision" = { max-degradation = 0.02 }
"text/de" = { metric = "p99 KL", max-degradation = 2 }
"stability/*" = {}

[budget.quality.worst_slice]
max-degradation = 0.15

[[budget.quality.exchange]]
gain = "decode-tok-s"
percent-min-improvement = 5
"""
    file.write_text(PROFILE.read_text(encoding="utf-8") + gates, encoding="utf-8")
    floor = read_toml(file, DeviceProfile).budget.quality
    assert set(default_gates()) < set(floor.slices)
    assert limits(floor, "tools/decision") == {"right": {"max_degradation": 0.02}}
    assert limits(floor, "stability/flips") == {}
    assert limits(floor, "text/de", "mean KL") == {
        "p99 KL": {"max_degradation": 2.0},
        "mean KL": {"max_degradation": 0.1},
    }
    assert floor.worst_slice is not None and floor.exchange[0].gain == "decode-tok-s"
    assert tomllib.loads(file.read_text(encoding="utf-8"))["budget"]["quality"]["exchange"]


def test_a_profile_with_an_unknown_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / PROFILE.name
    wrong = "\n[budget.quality.slices]\narithmetic = { max-degredation = 0.02 }\n"
    file.write_text(PROFILE.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    with pytest.raises(DataError, match="max-degredation"):
        read_toml(file, DeviceProfile)
