"""What a person called MODEL, as facts: a Hugging Face folder, a hub id, or an unquantized GGUF. No weight is read."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.catalog.gguf_source import inspect_gguf
from edgeshrink.catalog.hub import HUB_ID, fetch
from edgeshrink.catalog.huggingface import inspect_folder
from edgeshrink.catalog.safetensors_headers import INDEX
from edgeshrink.core.grid import GRID_FILE, PROBE_FILE
from edgeshrink.core.model import ModelFacts
from edgeshrink.errors import DataError


def inspect_model(
    given: str, *, offline: bool = False, weights: bool = True, revision: str | None = None
) -> ModelFacts:
    """The facts of a model. DataError or UnsupportedModel, in the first second, where it cannot be built.

    Without `weights` no weight file is fetched or looked at: the configuration is enough for a plan. `revision` is a
    hub model's commit or branch.
    """
    path = Path(given).expanduser()
    try:
        exists = path.exists()
    except OSError:
        exists = False
    if exists and path.is_dir():
        return inspect_folder(path, given, weights=weights)
    if exists:
        return _inspect_file(path, given)
    if HUB_ID.fullmatch(given) and path.suffix != ".gguf":
        return _inspect_hub(given, offline=offline, weights=weights, revision=revision)
    raise DataError(
        f"there is no model {given}: no such folder, and not a hub id (OWNER/NAME)",
        hint="give a Hugging Face model folder, a hub id or an unquantized .gguf file",
    )


def source_digest_files(facts: ModelFacts) -> tuple[Path, ...]:
    """The files that decide what is built, in name order: their digests make the source model's digest."""
    if facts.source.kind == "gguf":
        return (facts.source.path,)
    folder = facts.source.path
    files = {tensor.file for tensor in facts.tensors} | set(facts.tokenizer_files) | {folder / "config.json"}
    # The model card for its license, which goes into the file; the codes that the weights were trained for.
    names = (INDEX, "README.md", GRID_FILE, PROBE_FILE)
    files |= {folder / name for name in names if (folder / name).is_file()}
    return tuple(sorted(files, key=lambda file: file.name))


def _inspect_hub(hub_id: str, *, offline: bool, weights: bool, revision: str | None) -> ModelFacts:
    """The small files first: what cannot be built is refused before gigabytes are fetched."""
    folder = fetch(hub_id, offline=offline, weights=False, revision=revision)
    facts = inspect_folder(folder, hub_id, hub_id=hub_id, weights=False)
    if not weights:
        return facts
    folder = fetch(hub_id, offline=offline, weights=True, revision=facts.source.revision)
    return inspect_folder(folder, hub_id, hub_id=hub_id)


def _inspect_file(path: Path, given: str) -> ModelFacts:
    if path.suffix.lower() == ".gguf":
        return inspect_gguf(path, given)
    hint = "give a Hugging Face model folder, a hub id or an unquantized .gguf file"
    if path.suffix.lower() in {".safetensors", ".json"}:
        hint = f"give the folder: {path.parent}"
    raise DataError(f"{path} is a file that edgeshrink does not build from", hint=hint)
