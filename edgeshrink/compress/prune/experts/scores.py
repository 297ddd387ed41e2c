"""What was found out about a mixture's experts on calibration text, and its form on disk. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.json_files import read_json
from edgeshrink.core.expert_usage import ExpertUsage, LayerUsage
from edgeshrink.errors import DataError, UsageError

ARRAYS_FILE: Final = "experts.safetensors"
FACTS_FILE: Final = "experts.json"
SCHEMA: Final = "edgeshrink-expert-scores-1"
RANKINGS: Final = {
    "activation-norm": "norm",
    "attribution": "attribution",
    "router": "router",
    "usage": "counts",
}
"""What experts may be ranked by, and the array that it is: see the files of those names."""

Floats = NDArray[np.float64]
_ARRAYS = ("counts", "weights", "sharpness", "norm", "attribution", "router", "channels", "distances")


@dataclass(frozen=True, slots=True)
class ExpertScores:
    """Of one model with `used` experts a token, over `tokens` of text.

    `counts` (layers, experts): tokens sent to each; `weights` the sum of the router's weights; `sharpness` (layers,):
    see `routing`. `norm`, `attribution`, `router` (layers, experts); `channels` (layers, experts, ffn); `distances`
    (layers, experts, experts). Higher: missed more.
    """

    used: int
    tokens: int
    text_sha256: str
    counts: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    sharpness: Floats = field(repr=False)
    norm: Floats = field(repr=False)
    attribution: Floats = field(repr=False)
    router: Floats = field(repr=False)
    channels: Floats = field(repr=False)
    distances: Floats = field(repr=False)

    def ranking(self, name: str) -> Floats:
        """(layers, experts). UsageError for a name that is not in RANKINGS."""
        if name not in RANKINGS:
            raise UsageError(f"no ranking of experts is called {name!r}", hint=f"one of {', '.join(RANKINGS)}")
        found: Floats = getattr(self, RANKINGS[name])
        return found

    @property
    def usage(self) -> ExpertUsage:
        """Who is asked, as it is told and saved."""
        shares = self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1.0)
        return ExpertUsage(
            used=self.used,
            tokens=self.tokens,
            text_sha256=self.text_sha256,
            layers=tuple(
                LayerUsage(tuple(float(share) for share in row), float(sharp))
                for row, sharp in zip(shares, self.sharpness, strict=True)
            ),
        )


def write_expert_scores(folder: Path, scores: ExpertScores) -> None:
    """Both files into `folder`; experts.json last, so that where it stands all is there."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(getattr(scores, name)) for name in _ARRAYS}, folder / ARRAYS_FILE)
    facts = {"schema": SCHEMA, "used": scores.used, "tokens": scores.tokens, "text_sha256": scores.text_sha256}
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def read_expert_scores(folder: Path) -> ExpertScores:
    """DataError where `folder` holds no scores of this version."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    facts = read_json(folder / FACTS_FILE)
    if facts.get("schema") != SCHEMA:
        raise DataError(f"{folder / FACTS_FILE}: schema {facts.get('schema')!r}, expected {SCHEMA!r}")
    try:
        arrays: dict[str, Any] = load_file(folder / ARRAYS_FILE)
        return ExpertScores(
            int(facts["used"]),
            int(facts["tokens"]),
            str(facts["text_sha256"]),
            **{name: arrays[name] for name in _ARRAYS},
        )
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{folder / ARRAYS_FILE} cannot be read: {error}") from error
