"""A source model, opened: its facts, its tokenizer and its digest. No weight is read but for the digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import edgeshrink
from edgeshrink.catalog.models import inspect_model, source_digest_files
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.request import Request
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import UnsupportedModel
from edgeshrink.planning.layout import check_source, layout, parameter_count
from edgeshrink.store import Store
from edgeshrink.store.digests import combined_sha256, remembered_sha256

DEMO_MODEL = Path(edgeshrink.__file__).parent / "_demo"


@dataclass(frozen=True, slots=True)
class OpenModel:
    """What every step needs of the source. `vocabulary` is None where no tokenizer is at hand (for `plan` only)."""

    name: str
    facts: ModelFacts
    vocabulary: Vocabulary | None = field(repr=False)
    layout: tuple[TensorPlan, ...] = field(repr=False)

    @property
    def parameters(self) -> int:
        return parameter_count(self.facts)


def open_model(request: Request, *, fetch_weights: bool = True) -> OpenModel:
    """Read configuration, headers and tokenizer; refuse at once what cannot be built.

    Without `fetch_weights`, those of a hub model stay on the hub.
    """
    given = str(DEMO_MODEL) if request.model is None else request.model
    weights = fetch_weights or Path(given).exists()
    facts = inspect_model(given, offline=request.offline, weights=weights)
    tensors = layout(facts)
    if facts.has_weights:
        check_source(facts, tensors)
    vocabulary = read_vocabulary(facts) if facts.tokenizer_files else None
    return OpenModel(_name(request, facts), facts, vocabulary, tensors)


def require_buildable(model: OpenModel) -> Vocabulary:
    """The vocabulary; UnsupportedModel where there are no weights or no tokenizer to build from."""
    source = model.facts.source
    if not model.facts.has_weights:
        raise UnsupportedModel(
            f"{source.given} has a configuration and no weights",
            hint="`edgeshrink plan` works without; a build does not",
        )
    if model.vocabulary is None:
        raise UnsupportedModel(
            f"{source.given} has no tokenizer", hint="put tokenizer.json (or tokenizer.model) beside config.json"
        )
    return model.vocabulary


def source_digest(model: OpenModel, store: Store, listener: Listener = silent) -> str:
    """sha256 over the sha256 of every file that the build reads, in name order; remembered while they stay the same."""
    files = source_digest_files(model.facts)
    return combined_sha256((path.name, remembered_sha256(path, store.notes, listener)) for path in files)


def tokenizer_digest(model: OpenModel, store: Store) -> str:
    files = model.facts.tokenizer_files
    return combined_sha256((path.name, remembered_sha256(path, store.notes)) for path in files)


def _name(request: Request, facts: ModelFacts) -> str:
    if request.model is None:
        return "edgeshrink-demo"
    path = facts.source.path
    name = facts.source.hub_id or (path.stem if path.is_file() else path.resolve().name)
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name.split("/")[-1]) or "model"
