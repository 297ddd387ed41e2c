"""Which rungs of the ladder are put to a behaviour suite: none that is left anyway, and always the last one."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.plan import Candidate
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.suite import Suite
from edgeshrink.engine import climb as module
from edgeshrink.planning.ladder import Move

NOT_HERE = Unmeasured("not asked")
KL = {"Q2_K": 0.5, "Q4_K_M": 0.3, "Q8_0": 0.001}
"""Nats; 0.1 are allowed."""


def quality(kl: float) -> Quality:
    named = {
        "reference": "F32",
        "text": "text",
        "text_sha256": "",
        "tokens": 100,
        "checks": (),
        "mean_kl": Measured(kl),
    }
    figures: dict[str, Any] = {field.name: NOT_HERE for field in fields(Quality)} | named
    return Quality(**figures)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Schemes that the suite was run on, while models and files are stood in for."""
    seen: list[str] = []
    budget = Budget(quality=QualityFloor(mean_kl_max=0.1))
    monkeypatch.setattr(module, "gated", lambda *_: budget)
    monkeypatch.setattr(module, "delegate_here", lambda *_, **__: "cpu")
    monkeypatch.setattr(
        module,
        "plan_for",
        lambda _, scheme: SimpleNamespace(
            scheme=scheme, delegate="cpu", format="gguf", runtime="llama_cpp", context=64, predictions=None, tensors=()
        ),
    )
    monkeypatch.setattr(module, "gains_of_build", lambda *_: None)

    def behaviour_of(_workshop: Any, _suite: Any, _floor: Any, subject: Any, *_: Any) -> Unmeasured:
        seen.append(subject.path)
        return NOT_HERE

    monkeypatch.setattr(module, "behaviour_of", behaviour_of)
    return seen


def climb(monkeypatch: pytest.MonkeyPatch, *schemes: str) -> str:
    """The rung that the ladder of `schemes` ends on, begun at its foot."""
    ladder = tuple(Candidate(scheme, 4.0, cast(Any, None), True, "") for scheme in schemes)
    monkeypatch.setattr(module, "candidates", lambda _: ladder)
    workshop: Any = SimpleNamespace(
        request=Request(),
        quality=lambda subject, *_: quality(KL[subject.path]),
        measurements=lambda *_: NOT_HERE,
        place=SimpleNamespace(countable=lambda seen: seen),
    )
    exporter: Any = SimpleNamespace(
        artifact=lambda plan: SimpleNamespace(path=plan.scheme, sha256="", nbytes=1), delegation=lambda *_: None
    )
    situation: Any = SimpleNamespace(request=Request(), profile=SimpleNamespace(budget=None), on_this_host=True)
    built, _, _ = module.climb(workshop, exporter, situation, Move(schemes[0], schemes[0], ""), Suite("quick"))
    return built.plan.scheme


def test_a_rung_that_is_left_for_its_distance_is_not_asked(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert climb(monkeypatch, "Q2_K", "Q4_K_M", "Q8_0") == "Q8_0"
    assert asked == ["Q8_0"]


def test_the_last_rung_is_asked_though_its_distance_fails(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who sees FAIL wants to know which slices."""
    assert climb(monkeypatch, "Q2_K", "Q4_K_M") == "Q4_K_M"
    assert asked == ["Q4_K_M"]
