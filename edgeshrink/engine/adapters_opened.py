"""Adapters that a person names for a base: read, and refused where they are of another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgeshrink.catalog.adapters import is_adapter, read_adapter
from edgeshrink.core.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, Adapter
from edgeshrink.core.plain import plain
from edgeshrink.core.request import Request
from edgeshrink.engine.workshop import Workshop
from edgeshrink.errors import DataError, UsageError
from edgeshrink.planning.adapters import adapted_tensors
from edgeshrink.store.digests import combined_sha256, remembered_sha256

SUFFIXES: Final = {"gguf": ".gguf", "onnx": ".onnx_adapter"}
"""By format; the others take none."""
_LONGEST_NAME = 100
_TRAIN_AGAIN = "train it again on this base (edgeshrink distill --lora-rank), or build the model that it was trained on"
_FILES = tuple(sorted((ADAPTER_CONFIG, ADAPTER_WEIGHTS)))


@dataclass(frozen=True, slots=True)
class OpenAdapter:
    """An adapter that fits the base. `sha256`: over its files' sha256, in name order."""

    adapter: Adapter
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> Iterator[str]:
        return (update.weight for update in self.adapter.updates)


def check_adapters(request: Request) -> None:
    """UsageError, before any work, where adapters are asked for on a model that the build may change itself."""
    if request.adapters and request.train_for_grid:
        raise UsageError(
            "--train-for-grid changes the weights, and an adapter belongs to the very weights it was trained on",
            hint="distill --objective grid first, train the adapters on that folder, and build it with --adapter",
        )


def open_adapters(workshop: Workshop, format: str) -> tuple[OpenAdapter, ...]:
    """Those that the request names. Before any work: UsageError where the format takes none or two are called alike,
    DataError where one is of another base."""
    folders = workshop.request.adapters
    if folders and format not in SUFFIXES:
        raise UsageError(
            f"{format} runs no adapters beside a model, and --adapter was given",
            hint="merge it into its base (edgeshrink distill --merge) and build the merged folder, or --format gguf",
        )
    found = tuple(open_adapter(workshop, folder) for folder in folders)
    names = [one.adapter.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"several adapters are called {', '.join(twice)}", hint="rename their folders")
    workshop.adapter_weights = tuple(sorted({weight for one in found for weight in one.weights}))
    return found


def open_adapter(workshop: Workshop, folder: Path) -> OpenAdapter:
    """The adapter in `folder`, which fits the workshop's model in shapes and, where it says so, in digest."""
    if not is_adapter(folder):
        raise UsageError(
            f"{folder} is no adapter: it has no {ADAPTER_CONFIG}",
            hint="give a folder that `edgeshrink distill --lora-rank` or peft wrote",
        )
    adapter = read_adapter(folder)
    adapter = replace(adapter, name=file_name(adapter.name))
    given, digest = workshop.model.facts.source.given, workshop.source_sha256
    check_base(adapter, digest, given)
    adapted_tensors(workshop.model.facts, adapter)
    files = ((name, remembered_sha256(folder / name, workshop.store.notes)) for name in _FILES)
    notes = () if adapter.base else (f"adapter {adapter.name} {unsaid_base(adapter)}",)
    return OpenAdapter(adapter, combined_sha256(files), notes)


def check_base(adapter: Adapter, digest: str, name: str) -> None:
    """DataError where the adapter says that it was trained on another base than `name`, whose digest is `digest`."""
    if adapter.base:
        same_base(adapter.name, (adapter.base, adapter.base_name), (digest, name))


def same_base(adapter: str, trained_on: tuple[str, str], here: tuple[str, str]) -> None:
    """DataError where the digests of the two (digest, name) are known and differ."""
    if trained_on[0] and here[0] and trained_on[0] != here[0]:
        raise DataError(
            f"adapter {adapter} was trained on {trained_on[1] or 'another model'} ({trained_on[0][:12]}...), "
            f"and the base here is {here[1]} ({here[0][:12]}...)",
            hint=_TRAIN_AGAIN,
        )


def unsaid_base(adapter: Adapter) -> str:
    """Of one that does not say which weights it was trained on."""
    named = f" but names {adapter.base_name}" if adapter.base_name else ""
    return f"does not say which weights it was trained on{named}: its shapes fit, and nobody could check more"


def file_name(name: str) -> str:
    """A name that a file can have on every system."""
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in plain(name))
    return safe.strip(".")[:_LONGEST_NAME] or "adapter"
