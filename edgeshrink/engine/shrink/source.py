"""The models that pruning and distillation work on: Hugging Face folders, each with its workshop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgeshrink.core.events import Listener
from edgeshrink.core.request import Request
from edgeshrink.core.shape import Shape
from edgeshrink.core.shrinking import ModelBrief
from edgeshrink.devices.cpu import default_threads
from edgeshrink.engine.opened import open_model
from edgeshrink.engine.place import Place
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import ToolMissing, UsageError
from edgeshrink.store import Store

_NEEDED = ("torch", "transformers")
SMALLER, TRAINED = "-smaller", "-trained"
"""What the name of a model ends in that was made of another."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model and what makes its reference and runs suites on it."""

    workshop: Workshop

    @property
    def folder(self) -> Path:
        return self.workshop.model.facts.source.path

    @property
    def digest(self) -> str:
        return self.workshop.source_sha256

    @property
    def seconds(self) -> float:
        """What all steps took that this model and those made from it stand on, whenever they were run."""
        return sum(stored.seconds for stored in self.workshop.used)

    def brief(self, *, zeros: float = 0.0) -> ModelBrief:
        model = self.workshop.model
        return ModelBrief(
            name=model.facts.source.hub_id or model.name,
            digest=self.digest,
            model_type=model.facts.model_type,
            shape=Shape.of(model.facts),
            parameters=model.parameters,
            nbytes=self.workshop.source_bytes,
            license=model.facts.source.license,
            zeros=zeros,
        )


def open_source(request: Request, store: Store, place: Place, listener: Listener, *, name: str = "") -> Source:
    """The model of `request`, called `name` where one is given. UsageError where it is no Hugging Face folder;
    DataError where it cannot be read."""
    model = open_model(request)
    model = replace(model, name=name or model.name)
    if model.facts.source.kind != "huggingface":
        raise UsageError(
            f"{model.facts.source.given} is a GGUF: pruning and distillation work on a Hugging Face folder",
            hint="give the folder (or hub id) that the GGUF was made from",
        )
    threads = request.threads or default_threads()
    workshop = Workshop(request, model, store, listener, threads, place, lambda _question: False)
    workshop.check_before_work()
    return Source(workshop)


def source_of(folder: Path, like: Source, *, suffix: str = SMALLER, **changes: Any) -> Source:
    """The model that a step wrote into `folder`, with the store, the place and the request of `like`, but for what
    `changes` says; its name ends in `suffix`. What it is made into is compared with what `like` is compared with, or
    with `like` itself, and what is made on the way counts as used by both."""
    other = like.workshop
    request = replace(other.request, **{"model": str(folder), "revision": None, **changes})
    name = other.model.name.removesuffix(SMALLER).removesuffix(TRAINED) + suffix
    source = open_source(request, other.store, other.place, other.listener, name=name)
    made = source.workshop
    made.teacher, made.may_install, made.used = other.standard, other.may_install, other.used
    return source


def require_torch() -> None:
    """ToolMissing where the extra is not installed; nothing is imported."""
    for package in _NEEDED:
        try:
            version(package)
        except PackageNotFoundError as error:
            raise ToolMissing(
                f"{package} is not installed, and pruning and distillation need it",
                hint="pip install 'edgeshrink[torch]'",
            ) from error


def torch_pins() -> dict[str, str]:
    """For keys of steps: a result depends on them."""
    return {package: version(package) for package in _NEEDED}
