"""Step: one segment of a training run, to its plan's end or to a step in between. It resumes where it was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.adapters import read_adapter
from edgeshrink.compress.training.launch import train
from edgeshrink.compress.training.order import TrainingOrder
from edgeshrink.compress.training.record import read_record
from edgeshrink.core.adapter import ADAPTER_CONFIG
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.training import TrainingRecord, settings_json
from edgeshrink.engine.steps.cutting import MODEL, ensure_model
from edgeshrink.engine.steps.model_card import write_short_card
from edgeshrink.errors import StepFailed

STATE = "state"
_TOLD = ("log_every", "save_every")
"""Settings that change nothing of the result: another one goes on with the same run."""
Heard = Callable[[TrainingRecord], None]


@dataclass(frozen=True)
class TrainStudent:
    """Result: `model/` (or an adapter under this name), `state/` to go on from, `log.jsonl`. `inputs` are digests:
    student, corpus, teacher or cache, the segment before."""

    order: TrainingOrder = field(repr=False)
    inputs: Mapping[str, str] = field(hash=False)
    parameters: Mapping[str, Any] = field(hash=False)
    parent: ModelFacts = field(repr=False)
    tools: Mapping[str, str] = field(hash=False)
    heard: Heard = field(repr=False, compare=False)
    id: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    resumes: ClassVar[bool] = True

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": dict(self.inputs),
            "parameters": {
                "settings": {
                    name: value for name, value in settings_json(self.order.settings).items() if name not in _TOLD
                },
                "objective": settings_json(self.order.objective_settings),
                "until": self.order.until,
                **self.parameters,
            },
            "tools": dict(self.tools),
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        train(self.order, workdir, listener=listener, on_log=self.heard)
        if not (workdir / MODEL / ADAPTER_CONFIG).is_file():
            write_short_card(workdir / MODEL, self.parent)

    def ensures(self, workdir: Path) -> None:
        if (workdir / MODEL / ADAPTER_CONFIG).is_file():
            read_adapter(workdir / MODEL)
        else:
            ensure_model(workdir / MODEL)
        if not read_record(workdir / STATE).steps:
            raise StepFailed("the run ended before its first step")
