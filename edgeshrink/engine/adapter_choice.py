"""The adapter that a person means beside a finished artifact: a name in its folder, a runtime's file, or a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeshrink.catalog.adapters import is_adapter, read_adapter, read_gguf_adapter
from edgeshrink.core.model import ModelFacts
from edgeshrink.core.plain import plain
from edgeshrink.core.report import Report, SourceSummary
from edgeshrink.core.request import Request
from edgeshrink.engine.adapters_opened import SUFFIXES, check_base, same_base
from edgeshrink.engine.adapters_there import base_of, report_there
from edgeshrink.engine.artifacts import Found
from edgeshrink.engine.opened import given_name, open_model, source_digest
from edgeshrink.errors import UsageError
from edgeshrink.export.gguf.adapter import write_gguf_adapter
from edgeshrink.export.onnx.adapter import write_onnx_adapter
from edgeshrink.store import Store


@contextmanager
def ready_adapter(given: str, artifact: Path, found: Found) -> Iterator[Path]:
    """The file that the runtime of `found` takes, for as long as it is run. A folder as peft writes it is written as
    such a file first, where the base's own model is at hand.

    `artifact` is what the person named. UsageError where nothing is called so, or it is of another format; DataError
    where it says that it was trained on another base than the artifact's.
    """
    place = adapter_place(given, artifact, found)
    if place.is_file():
        yield place
        return
    report = _report_of(artifact)
    adapter = read_adapter(place)
    if report is not None:
        check_base(adapter, *base_of(report))
    with tempfile.TemporaryDirectory(prefix="edgeshrink-adapter-") as folder:
        file = Path(folder) / f"adapter{SUFFIXES[found.format]}"
        facts = _facts(report, place)
        if found.format == "gguf":
            write_gguf_adapter(file, facts, adapter)
        else:
            write_onnx_adapter(file, facts, adapter, model=found.path / "model.onnx")
        yield file


def adapter_place(given: str, artifact: Path, found: Found) -> Path:
    """The file or the folder that `given` means; a name of the artifact's own folder goes first."""
    suffix = SUFFIXES.get(found.format)
    if suffix is None:
        raise UsageError(
            f"{found.format} runs no adapters beside a model",
            hint="merge it into its base (edgeshrink distill --merge) and build the merged folder",
        )
    folder = artifact if artifact.is_dir() else artifact.parent
    report = _report_of(artifact)
    listed = {} if report is None else {one.name: folder / one.file for one in report.adapters}
    if (file := listed.get(given)) is not None and file.is_file():
        return file
    path = Path(given).expanduser()
    if path.is_dir() and is_adapter(path):
        return path
    if not path.is_file():
        there = f"there are {plain(', '.join(listed))}" if listed else "the build has none"
        raise UsageError(
            f"{plain(given)} is no adapter of {artifact} ({there}), no file, and no adapter's folder",
            hint="name one of the build, a file, or a folder with adapter_config.json",
        )
    if path.suffix.lower() != suffix:
        raise UsageError(f"{path} is no adapter for {found.format}: {suffix} is", hint="name the adapter's folder")
    if report is not None:
        _check_file(path, report)
    return path


def _check_file(path: Path, report: Report) -> None:
    """A GGUF says its base itself; of any file that stands in a build's folder, that build does."""
    if path.suffix.lower() == SUFFIXES["gguf"]:
        check_base(read_gguf_adapter(path), *base_of(report))
    made = report_there(path.resolve().parent.parent)
    if made is not None and any(Path(one.file).name == path.name for one in made.adapters):
        same_base(path.stem, base_of(made), base_of(report))


def _report_of(artifact: Path) -> Report | None:
    return report_there(artifact if artifact.is_dir() else artifact.parent)


def _facts(report: Report | None, adapter: Path) -> ModelFacts:
    """Of the model that the artifact was made from, where it can be found again: its updates are placed by that."""
    source = None if report is None or report.shrinkage is not None else report.source
    request = None if source is None else _request_of(source)
    if request is not None and source is not None:
        model = open_model(request)
        if source_digest(model, Store()) == source.digest:
            return model.facts
    raise UsageError(
        f"{adapter} is a folder, and the model that the artifact was made from is not at hand to place its updates",
        hint="`edgeshrink build MODEL --adapter FOLDER` writes it as a file to OUT/adapters, and compares the pair",
    )


def _request_of(source: SourceSummary) -> Request | None:
    """A hub's model, or the one that ships with the package."""
    if source.hub_id is not None:
        return Request(source.hub_id, revision=source.revision)
    return Request() if source.given == given_name(Request()) else None
