"""Step: examine a finished file against its source and its unquantized reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.quality import Check, Quality
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.artifact import evaluate_artifact
from edgeshrink.evaluate.reference import read_reference

_FILE = "quality.json"


@dataclass(frozen=True)
class Evaluate:
    """Result: `quality.json`, a Quality. `reference` is a folder and its digest, or why there is none.

    `delegate` is the backend that is to run it on this machine, `own_checks` what only its format can be asked (None:
    the plan that it was built by is not known), `tensors` those that are in it, as far as that is known. `facts` are of
    the model whose reference that is.
    """

    artifact: Path
    artifact_sha256: str
    source_sha256: str
    runtime: str
    tensors: tuple[TensorPlan, ...] = field(repr=False)
    delegate: str
    own_checks: Callable[[Path], tuple[Check, ...]] | None = field(repr=False)
    facts: ModelFacts
    vocabulary: Vocabulary
    reference: tuple[Path, str] | Unmeasured
    text: Text
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 4

    def key_parts(self) -> Mapping[str, Any]:
        reference = self.reference
        return {
            "inputs": {
                "artifact": self.artifact_sha256,
                "source": self.source_sha256,
                "reference": None if isinstance(reference, Unmeasured) else reference[1],
                "text": self.text.sha256,
            },
            "parameters": {
                "context": self.context,
                "delegate": self.delegate,
                "own checks": self.own_checks is not None,
            },
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        reference = self.reference
        with tempfile.TemporaryDirectory(dir=workdir) as scratch:
            quality = evaluate_artifact(
                self.artifact,
                runtime=self.runtime,
                delegate=self.delegate,
                own_checks=() if self.own_checks is None else self.own_checks(self.artifact),
                tensors=self.tensors,
                facts=self.facts,
                vocabulary=self.vocabulary,
                reference=reference if isinstance(reference, Unmeasured) else read_reference(reference[0]),
                text=self.text,
                folder=Path(scratch),
                context=self.context,
                threads=self.threads,
                listener=listener,
            )
        (workdir / _FILE).write_text(to_json(quality), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_quality(workdir).checks:
            raise StepFailed("nothing was checked on the finished file")


def read_quality(folder: Path) -> Quality:
    return from_json(Quality, folder / _FILE)
