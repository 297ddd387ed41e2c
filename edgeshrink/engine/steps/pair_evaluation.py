"""Step: examine a finished file and an adapter's file together against both in full precision."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from edgeshrink.catalog.texts import Text
from edgeshrink.core.adapter import Adapter
from edgeshrink.core.events import Listener
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.quality import Quality
from edgeshrink.core.values import from_json, to_json
from edgeshrink.errors import StepFailed
from edgeshrink.evaluate.pair import evaluate_pair
from edgeshrink.evaluate.reference import read_reference
from edgeshrink.evaluate.subject import Subject

_FILE = "quality.json"


@dataclass(frozen=True)
class EvaluatePair:
    """Result: `quality.json`, a Quality. `subject_sha256`: of the artifact and the adapter's file together;
    `reference`: a folder of RunReference with the adapter, and its digest; `adapter_sha256`: of its folder."""

    subject: Subject
    subject_sha256: str
    source_sha256: str
    facts: ModelFacts = field(repr=False)
    adapter: Adapter = field(repr=False)
    adapter_sha256: str
    reference: tuple[Path, str]
    text: Text
    context: int
    threads: int
    runtime_build: str
    id: ClassVar[str] = "evaluate-adapter"
    version: ClassVar[int] = 1

    def key_parts(self) -> Mapping[str, Any]:
        return {
            "inputs": {
                "artifact": self.subject_sha256,
                "source": self.source_sha256,
                "adapter": self.adapter_sha256,
                "reference": self.reference[1],
                "text": self.text.sha256,
            },
            "parameters": {"context": self.context, "delegate": self.subject.delegate},
            "tools": {"runtime": self.runtime_build},
        }

    def requires(self) -> None: ...

    def call(self, workdir: Path, listener: Listener) -> None:
        with tempfile.TemporaryDirectory(dir=workdir) as scratch:
            quality = evaluate_pair(
                self.subject,
                facts=self.facts,
                adapter=self.adapter,
                reference=read_reference(self.reference[0]),
                text=self.text,
                folder=Path(scratch),
                context=self.context,
                threads=self.threads,
                listener=listener,
            )
        (workdir / _FILE).write_text(to_json(quality), encoding="utf-8")

    def ensures(self, workdir: Path) -> None:
        if not read_pair_quality(workdir).checks:
            raise StepFailed("nothing was checked on the base and its adapter")


def read_pair_quality(folder: Path) -> Quality:
    return from_json(Quality, folder / _FILE)
