"""A suite: which families of slices are asked, how many items each, and how often more may be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FamilyPlan:
    """`items` of a family in the first round; `options` are the family's own, JSON values."""

    family: str
    items: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextPlan:
    """One labelled text to be read: a file, or without one the shipped or generated text of that label."""

    label: str
    title: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """`text_tokens`: of each text in the first round. `looks`: how many times intervals may be looked at: the first
    round, and then as many items again as there are so far, for slices that are not decided. `harness`: tasks of the
    lm-evaluation-harness. `folder`: where relative paths in options begin."""

    name: str
    asking: tuple[FamilyPlan, ...] = ()
    reading: tuple[str, ...] = ()
    texts: tuple[TextPlan, ...] = ()
    text_tokens: int = 0
    looks: int = 1
    harness: tuple[str, ...] = ()
    harness_items: int | None = None
    folder: Path | None = None
