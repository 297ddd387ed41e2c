"""`build --train-for-grid`: training answers a missed quality floor, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from edgeshrink.core.budget import Budget, QualityFloor
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.core.verdict import Verdict
from edgeshrink.engine.shrink.trained import may_train
from edgeshrink.judging.judge import device_lines, distance_lines
from edgeshrink.judging.outcomes import overall

BUDGET = Budget(artifact_bytes_max=1000, quality=QualityFloor(mean_kl_max=0.1))
NEAR = Quality(
    "F32 GGUF",
    "text",
    "0" * 64,
    100,
    *(Measured(0.05) for _ in range(8)),
    (Check("finite logits", "ok", "all"),),
)
FAR = replace(NEAR, mean_kl=Measured(0.3))


def asked(quality: Quality, *, nbytes: int = 10, kind: str = "huggingface", wanted: bool = True) -> tuple[bool, Any]:
    """What is decided of a file of `nbytes`, and the notes."""
    workshop: Any = SimpleNamespace(
        request=Request(train_for_grid=wanted),
        model=SimpleNamespace(facts=SimpleNamespace(source=SimpleNamespace(kind=kind))),
        notes=[],
    )
    lines = (*distance_lines(BUDGET, quality), *device_lines(BUDGET, nbytes, Unmeasured("no device"), None))
    built: Any = SimpleNamespace(
        quality=quality, verdict=Verdict(overall(tuple(line.outcome for line in lines)), lines)
    )
    situation: Any = SimpleNamespace(profile=SimpleNamespace(budget=BUDGET))
    return may_train(workshop, situation, built), workshop.notes


def test_a_missed_floor_is_trained_for_where_that_was_asked() -> None:
    assert asked(FAR) == (True, [])
    assert asked(FAR, wanted=False) == (False, [])
    assert asked(NEAR) == (False, [])


def test_what_training_cannot_mend_is_not_trained_for() -> None:
    assert asked(NEAR, nbytes=2000) == (False, [])
    assert asked(replace(FAR, checks=(Check("finite logits", "failed", "3 are not"),))) == (False, [])


def test_a_gguf_is_not_trained_and_a_note_says_so() -> None:
    decided, notes = asked(FAR, kind="gguf")
    assert not decided
    assert "Hugging Face folder" in notes[0]
