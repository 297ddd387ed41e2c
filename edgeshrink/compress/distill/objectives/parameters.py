"""What crosses to the training job for an objective, as values. No torch here: the parent writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.core.training import ObjectiveSettings, settings_json


@dataclass(frozen=True, slots=True)
class Parameters:
    """`teacher`: its Hugging Face folder; `cache`: a `TeacherCache`'s. `vocabulary`: how many tokens both models share
    (`vocabularies.shared_vocabulary`), None: their heads must be equally long."""

    settings: ObjectiveSettings
    teacher: Path | None = None
    cache: Path | None = None
    vocabulary: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Parameters:
        """From JSON, as `json` writes it; what is absent takes its default."""
        settings = dict(values.get("settings") or {})
        if "layers" in settings:
            settings["layers"] = tuple((int(student), int(teacher)) for student, teacher in settings["layers"])
        teacher, cache = values.get("teacher"), values.get("cache")
        return cls(
            settings=ObjectiveSettings(**settings),
            teacher=None if teacher is None else Path(teacher),
            cache=None if cache is None else Path(cache),
            vocabulary=values.get("vocabulary"),
            seed=int(values.get("seed") or 0),
        )

    def json(self) -> dict[str, Any]:
        return {
            "settings": settings_json(self.settings),
            "teacher": None if self.teacher is None else str(self.teacher),
            "cache": None if self.cache is None else str(self.cache),
            "vocabulary": self.vocabulary,
            "seed": self.seed,
        }
