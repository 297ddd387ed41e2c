"""A source model, opened: its facts, its tokenizer and its digest. No weight is read but for the digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import edgeshrink
from edgeshrink.catalog.models import inspect_model, source_digest_files
from edgeshrink.catalog.networks import network_source
from edgeshrink.catalog.tokenizers import read_vocabulary
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.plan import TensorPlan
from edgeshrink.core.request import Request
from edgeshrink.core.tokenizer import Vocabulary
from edgeshrink.errors import UnsupportedModel, UsageError
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
    facts = inspect_model(given, offline=request.offline, weights=weights, revision=request.revision)
    tensors = layout(facts)
    if facts.has_weights:
        check_source(facts, tensors)
    vocabulary = read_vocabulary(facts) if facts.tokenizer_files else None
    return OpenModel(given_name(request), facts, vocabulary, tensors)


def network_of(request: Request) -> NetworkSource | None:
    """The network that the request is about; None where its model is a language model.

    UsageError where a revision is asked for of what has none.
    """
    if request.revision and (request.model is None or Path(request.model).expanduser().exists()):
        raise UsageError("--revision is for a hub model", hint="leave it out: the files are taken as they are")
    if request.model is None:
        return None
    return network_source(request.model, offline=request.offline, revision=request.revision)


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


def given_name(request: Request) -> str:
    """What the model is called, as far as the request alone tells."""
    if request.model is None:
        return "edgeshrink-demo"
    path = Path(request.model).expanduser()
    name = (path.stem if path.is_file() else path.resolve().name) if path.exists() else request.model
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name.split("/")[-1]) or "model"
