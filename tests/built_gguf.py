"""A GGUF built by the package's own rooms, without the engine: for tests that need a real file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeshrink.catalog.models import inspect_model
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import silent
from edgeshrink.core.gguf_metadata import KeyValue
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.export.gguf.pretokenizer import prove_pretokenizer
from edgeshrink.export.gguf.vocabulary import vocabulary_metadata
from edgeshrink.export.gguf.write import write_gguf
from edgeshrink.planning.gguf_metadata import model_metadata
from edgeshrink.planning.layout import layout
from edgeshrink.planning.presets import preset_types
from edgeshrink.planning.rope_factors import computed_tensors
from edgeshrink.planning.schemes import SCHEMES

Metadata = tuple[KeyValue, ...]


@dataclass(frozen=True)
class Built:
    """A finished file and all that it was made from."""

    path: Path
    facts: ModelFacts
    vocabulary: Vocabulary
    tensors: tuple[TensorPlan, ...]


Builder = Callable[[str], Built]


def build_gguf(
    source: Path,
    path: Path,
    scheme: str,
    *,
    importance: Mapping[str, Any] | None = None,
    change: Callable[[Metadata], Metadata] = lambda metadata: metadata,
) -> Built:
    """Write `source` as `scheme` to `path`; `change` may spoil the header on the way."""
    facts = inspect_model(str(source))
    vocabulary = read_vocabulary(facts)
    pre = prove_pretokenizer(facts, vocabulary).pre if vocabulary.kind == "bpe" else "default"
    tensors = preset_types(scheme, layout(facts), facts, has_imatrix=importance is not None)
    metadata = (
        *model_metadata(facts, name="test", file_type=SCHEMES[scheme].file_type),
        *vocabulary_metadata(vocabulary, pre),
    )
    write_gguf(
        path,
        change(metadata),
        tensors,
        {tensor.name: tensor for tensor in facts.tensors},
        importance=importance,
        threads=1,
        listener=silent,
        computed=computed_tensors(facts),
    )
    return Built(path, facts, vocabulary, tensors)
