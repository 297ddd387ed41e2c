"""A mixture loses experts stage by stage: what holds is kept, what fails its gate is refused and said. The jobs run in
this process; what the suite says is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_models import write_tiny_model

import edgeshrink
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.shrinking_request import ExpertsWanted, PruneRequest, Teaching
from edgeshrink.core.training import ObjectiveSettings
from edgeshrink.core.verdict import Outcome, Verdict, VerdictLine
from edgeshrink.engine.place import open_place
from edgeshrink.engine.shrink import experts
from edgeshrink.engine.shrink.experts import Held, Lessened, check_experts, fewer_experts
from edgeshrink.engine.shrink.source import Source, open_source
from edgeshrink.engine.situation import find_device
from edgeshrink.errors import PlanError, UsageError
from edgeshrink.store import Store

pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def jobs_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child spends seconds on importing torch."""
    import importlib

    def run_job(job: str, parameters: Any, *, on_event: Any = lambda _event: None, **_: Any) -> Any:
        module, _, name = job.partition(":")
        return getattr(importlib.import_module(module), name)(json.loads(json.dumps(parameters)), on_event)

    monkeypatch.setattr("edgeshrink.runtimes.child.run_job", run_job)


@pytest.fixture(scope="module")
def mixtral(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("mixture") / "mixtral", demo_model, "mixtral")


@pytest.fixture(scope="module")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("calibration") / "text"
    file.write_text(
        "".join(f"The miller of house {n} had {n * n % 91} sons, and {n % 7} went to sea. " for n in range(200)),
        "utf-8",
    )
    return file


@pytest.fixture
def original(mixtral: Path, calibration: Path) -> Iterator[Source]:
    given = Request(str(mixtral), suite="none", calibration=calibration, threads=1)
    _, profile, _ = find_device(given, None)
    store = Store()
    with store.in_use(), open_place(given, profile, lambda _: None) as place:
        yield open_source(given, store, place, lambda _: None)


def test_prune_keeps_so_many_experts_and_counts_how_they_are_used(
    mixtral: Path, calibration: Path, tmp_path: Path
) -> None:
    out = tmp_path / "smaller"
    step = edgeshrink.prune(
        str(mixtral), out, experts=ExpertsWanted(4, 32), suite="none", calibration=calibration, threads=1
    )
    facts = inspect_folder(out, "smaller")
    assert facts.experts is not None and (facts.experts.count, facts.experts.ffn) == (4, 32)
    assert facts.expert_usage is not None and facts.expert_usage.tokens == step.pruning.calibration_tokens  # type: ignore[union-attr]
    assert step.pruning is not None and step.pruning.axes == (("experts", 8, 4), ("expert_ffn", 96, 32))
    ways = [words for words, _, _ in step.pruning.considered]
    assert len(ways) == 4 and not any("router" in words for words in ways)
    nearest = min(step.pruning.considered, key=lambda one: one[2])
    assert nearest[0].rpartition(", ")[2] in step.pruning.why
    assert [stage.title for stage in step.stages] == ["4 of 8 experts", "experts of 32 channels, not 96"]
    assert step.stages[1].parameters == step.after.parameters < step.stages[0].parameters < step.before.parameters
    read = json.loads((out / "edgeshrink-step.json").read_text(encoding="utf-8"))
    assert len(read["stages"]) == 2


def test_other_goals_beside_experts_are_refused(mixtral: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="goals of their own"):
        edgeshrink.prune(str(mixtral), tmp_path / "o", share=0.5, experts=ExpertsWanted(4), suite="none")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (ExpertsWanted(1), "asks 2 of 8"),
        (ExpertsWanted(9), "asks 2 of 8"),
        (ExpertsWanted(ffn=97), "have 96 channels"),
        (ExpertsWanted(ffn=7), "multiple of 8"),
    ],
)
def test_what_the_model_cannot_keep_is_refused(wanted: ExpertsWanted, words: str, original: Source) -> None:
    with pytest.raises(PlanError, match=words):
        check_experts(original, wanted)


def staged(
    original: Source, monkeypatch: pytest.MonkeyPatch, outcomes: list[str], *, heals: bool, ffn: int | None = 32
) -> Lessened:
    """All stages, where the suite says `outcomes` one after the other; healing changes nothing but the count."""
    said = iter(outcomes)

    def verdict_of(*_: Any) -> Verdict:
        outcome: Outcome = next(said)  # type: ignore[assignment]
        line = VerdictLine("KL", "nats", "<=", 0.1, Unmeasured(""), None, outcome, "", slice="text/general")
        return Verdict(outcome, (line,))

    def taught(_teacher: Source, student: Source, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(student=student, record=SimpleNamespace(steps=7, tokens=700))

    monkeypatch.setattr(experts, "examined", lambda *_: Unmeasured("given"))
    monkeypatch.setattr(experts, "verdict_of", verdict_of)
    monkeypatch.setattr(experts, "taught", taught)
    wanted = ExpertsWanted(4, ffn, ranking="usage", merge=False)
    request = PruneRequest(original.workshop.request, teaching=Teaching() if heals else None, experts=wanted)
    suite: Any = object()
    floor: Any = None
    found = fewer_experts(Held(original, request, suite, floor, lambda _: None, None))
    assert next(said, None) is None
    return found


def test_a_cut_that_fails_is_refused_and_the_one_before_it_stays(
    original: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = staged(original, monkeypatch, ["PASS", "FAIL"], heals=False)
    assert found.pruned.told.axes == (("experts", 8, 4),)
    assert [stage.kept for stage in found.stages] == [True, False]
    assert found.notes == ("refused: experts of 32 channels, not 96 fails text/general",)
    assert found.verdict is not None and found.verdict.outcome == "PASS"
    assert found.refusal is not None and found.refusal.outcome == "FAIL"


def test_nothing_follows_a_refusal_and_nothing_kept_is_an_error(
    original: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlanError, match="nothing smaller is kept: 4 of 8 experts fails text/general") as refused:
        staged(original, monkeypatch, ["FAIL"], heals=False)
    assert "--data" in (refused.value.hint or "")


def test_healing_may_bring_a_failed_cut_back(original: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    found = staged(original, monkeypatch, ["FAIL", "FAIL", "PASS"], heals=True)
    assert [stage.kept for stage in found.stages] == [False, False, True]
    assert "healing follows" in found.stages[0].why
    assert found.stages[2].tokens == 700
    assert found.refusal is None and found.notes == ()
    assert len(found.pruned.told.axes) == 2


def test_healing_that_does_not_help_leaves_the_last_cut_that_held(
    original: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = staged(original, monkeypatch, ["UNKNOWN", "FAIL", "FAIL"], heals=True)
    assert found.record is None and found.pruned.told.axes == (("experts", 8, 4),)
    assert found.notes == ("refused: even healed it fails text/general",)


def test_routers_alone_are_a_form_of_their_own(original: Source) -> None:
    from edgeshrink.engine.shrink.forms import form_for

    form = form_for(original, Teaching(objective=ObjectiveSettings(), trains="routers"), Path("corpus"))
    assert form.name.endswith("RouterForm") and form.told == {"form": form.name}
    assert form_for(original, replace(Teaching(), trains="all"), Path("corpus")).name != form.name
