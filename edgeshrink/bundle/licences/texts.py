"""The licence texts that a bundle carries: the model's, and those of what opens it.

The runtimes' texts are shipped as they stand in the pinned versions, so that a bundle has the same bytes whatever
else is installed where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.data import licence_file
from edgeshrink.core.bundle import Engine

MODEL_TEXTS, RUNTIME_TEXTS = "licenses/model", "licenses/runtime"
_SHIPPED = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of software that a bundle brings or asks for; `id` is an SPDX id."""

    name: str
    id: str

    @property
    def file(self) -> str:
        """Its licence text, relative to the bundle."""
        return f"{RUNTIME_TEXTS}/{self.name}-LICENSE.txt"


_EDGESHRINK = Part("edgeshrink", "Apache-2.0")
_PARTS: Mapping[str, tuple[Part, ...]] = {
    "llama.cpp": (Part("llama.cpp", "MIT"), Part("llama-cpp-python", "MIT")),
    "onnxruntime": (Part("onnxruntime", "MIT"),),
    "onnxruntime-genai": (Part("onnxruntime", "MIT"), Part("onnxruntime-genai", "MIT")),
    "executorch": (Part("executorch", "BSD-3-Clause"), Part("pytorch-tokenizers", "BSD-3-Clause")),
}


def software_of(engine: Engine) -> tuple[Part, ...]:
    """What opens the artifact; the loaders are edgeshrink's own."""
    return (*_PARTS.get(engine.project, ()), _EDGESHRINK)


def licence_texts(engine: Engine, source_texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every text by its name in the bundle. `source_texts`: those of the model, by file name."""
    texts = {f"{MODEL_TEXTS}/{name}": text for name, text in sorted(source_texts.items())}
    for part in software_of(engine):
        shipped = licence_file() if part is _EDGESHRINK else _SHIPPED / f"{part.name}-LICENSE.txt"
        texts[part.file] = shipped.read_bytes()
    return texts
