"""`evaluate --adapter`: a finished artifact with an adapter, and the reference with the same one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeshrink.catalog.adapters import read_gguf_adapter
from edgeshrink.engine.adapter_choice import adapter_place
from edgeshrink.engine.adapter_pairs import Pair, adapter_file, pair_of
from edgeshrink.engine.adapters_opened import OpenAdapter, check_base, open_adapter, unsaid_base
from edgeshrink.engine.artifacts import Found
from edgeshrink.engine.workshop import File, Workshop
from edgeshrink.errors import UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.planning.requested import default_delegate
from edgeshrink.store.digests import remembered_sha256, remembered_tree_sha256


def evaluated_pair(workshop: Workshop, given: str, artifact: Path, found: Found) -> Pair:
    """The pair that `given` means, ready to be compared. From a folder the reference takes the adapter in F32; a GGUF
    runs beside both as it is. UsageError where it is a file that llama.cpp's reference cannot take."""
    place = adapter_place(given, artifact, found)
    if place.is_file() and found.format != "gguf":
        raise UsageError(
            f"{place} is for {found.format} alone, and the reference runs in llama.cpp",
            hint="name the folder that the adapter was made from",
        )
    sha256 = remembered_tree_sha256(found.path, workshop.store.notes, workshop.listener)
    delegate = workshop.request.delegate or default_delegate(found.format)
    subject = Subject(found.path, found.runtime, delegate)
    if place.is_dir():
        one = open_adapter(workshop, place)
        file = adapter_file(workshop, one, found.format, found.path, sha256)
        pair = pair_of(workshop, one, subject, sha256, file)
    else:
        one, file = _of_file(workshop, place)
        pair = pair_of(workshop, one, subject, sha256, file, exact=file)
    workshop.notes.append(f"everything here is of the base with the adapter {one.adapter.name} ({file.sha256[:12]}...)")
    workshop.notes.extend(one.notes)
    return pair


def _of_file(workshop: Workshop, path: Path) -> tuple[OpenAdapter, File]:
    file = File(path, remembered_sha256(path, workshop.store.notes))
    adapter = replace(read_gguf_adapter(path), name=path.stem)
    check_base(adapter, workshop.source_sha256, workshop.model.facts.source.given)
    notes = () if adapter.base else (f"adapter {adapter.name} {unsaid_base(adapter)}",)
    return OpenAdapter(adapter, file.sha256, notes), file
