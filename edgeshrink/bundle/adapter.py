"""A LoRA adapter as a small bundle of its own, bound to the one artifact that it belongs to.

Source: llama.cpp's adapter files (docs of convert_lora_to_gguf; src/llama-adapter.cpp reads general.type,
adapter.type, general.architecture, and pairs of tensors NAME.lora_a, NAME.lora_b).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.bundle.archives.entries import copy_hashed
from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.bundle.cargo import FILE_MODE, Cargo, write_file
from edgeshrink.bundle.laptop.loader import readme
from edgeshrink.bundle.licences.expressions import judge_licence
from edgeshrink.catalog.gguf_header import GgufHeader, read_gguf_header
from edgeshrink.core.bundle import (
    BUNDLE_NAME,
    BUNDLE_SCHEMA,
    MODEL_FOLDER,
    BundleManifest,
    BundleOptions,
    BundleRequest,
    Engine,
    LicenceNote,
)
from edgeshrink.core.events import Listener
from edgeshrink.core.manifest import ManifestFile, ManifestPlan
from edgeshrink.core.plain import plain
from edgeshrink.core.values import to_json
from edgeshrink.errors import DataError

_CARD = "MODEL_CARD.md"
_SUFFIXES = (".lora_a", ".lora_b")
_EMBEDDING = "token_embd.weight"


@dataclass(frozen=True, slots=True)
class AdapterBase:
    """The artifact that an adapter belongs to: `model` is its GGUF, `name` that of its file."""

    name: str
    model: Path
    sha256: str
    format: str
    engine: Engine
    context: int
    target: str
    profile: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the header of an adapter says. `tensors` are the base's tensors that it changes, with its own types."""

    path: Path
    name: str
    architecture: str
    licence: str
    tensors: dict[str, str]


def read_adapter(path: Path, base: AdapterBase) -> Adapter:
    """The adapter in `path`. DataError where it is none, or changes what `base` has not, or not in that shape."""
    if base.format != "gguf":
        raise DataError(
            f"{base.name} is {base.format}, and adapters are applied to GGUF models alone",
            hint="build the base with --format gguf",
        )
    if not safe_name(path.name) or plain(path.name) != path.name:
        raise DataError(f"{plain(path.name)!r} is no name for a file of a bundle", hint="rename the adapter's file")
    header, of_base = read_gguf_header(path), read_gguf_header(base.model)
    kind, method = header.value("general.type"), header.value("adapter.type")
    if (kind, method) != ("adapter", "lora"):
        raise DataError(
            f"{path} is no LoRA adapter: general.type is {kind!r}, adapter.type {method!r}",
            hint="llama.cpp's convert_lora_to_gguf.py makes one of a PEFT adapter",
        )
    architecture = header.value("general.architecture")
    if architecture != of_base.value("general.architecture"):
        raise DataError(
            f"{path} is for {architecture!r}, {base.name} is {of_base.value('general.architecture')!r}",
            hint="take the model that the adapter was trained on",
        )
    _check_pairs(path, base.name, header, of_base)
    return Adapter(
        path=path,
        name=_text(header, "general.name") or path.stem,
        architecture=str(architecture),
        licence=_text(header, "general.license"),
        tensors={tensor.name: tensor.dtype for tensor in header.tensors},
    )


def adapter_licence(adapter: Adapter) -> LicenceNote:
    """What the adapter's file itself states."""
    judged = judge_licence(adapter.licence)
    return LicenceNote("model", adapter.name, adapter.licence, judged.redistribution, judged.note, ())


def write_adapter(
    adapter: Adapter,
    base: AdapterBase,
    folder: Path,
    options: BundleOptions,
    *,
    licence_accepted: bool,
    tools: Mapping[str, str],
    listener: Listener,
) -> Cargo:
    """Write the whole bundle into the existing `folder`, unsigned. `options.name` is settled."""
    main = f"{MODEL_FOLDER}/{adapter.path.name}"
    sha256 = copy_hashed(adapter.path, folder / main, listener)
    (folder / main).chmod(FILE_MODE)
    values = {
        "name": options.name,
        "version": options.version,
        "base": base.sha256,
        "base_name": plain(base.name),
        "licence": plain(adapter.licence) or "not stated",
        "tensors": str(len(adapter.tensors) // 2),
        "package": base.engine.package,
        "engine_version": base.engine.version,
    }
    card = readme("adapter-card", **values).encode()
    write_file(folder / _CARD, card)
    write_file(folder / "README.md", readme("adapter", "verify", **values))
    nbytes = (folder / main).stat().st_size
    manifest = adapter_manifest(
        adapter,
        base,
        options,
        files=(
            ManifestFile(_CARD, hashlib.sha256(card).hexdigest(), len(card)),
            ManifestFile(main, sha256, nbytes),
        ),
        licence_accepted=licence_accepted,
        tools=tools,
    )
    write_file(folder / BUNDLE_NAME, to_json(manifest))
    return Cargo(folder, manifest)


def adapter_manifest(
    adapter: Adapter,
    base: AdapterBase,
    options: BundleOptions,
    *,
    files: tuple[ManifestFile, ...],
    licence_accepted: bool,
    tools: Mapping[str, str],
) -> BundleManifest:
    """`bundle.json` of an adapter: engine and context are its base's, and so is how a question is put."""
    main = next(file for file in files if file.name.startswith(f"{MODEL_FOLDER}/"))
    return BundleManifest(
        schema=BUNDLE_SCHEMA,
        kind="laptop",
        name=options.name,
        version=options.version,
        format="gguf",
        main=main.name,
        artifact_sha256=main.sha256,
        artifact_bytes=main.bytes,
        engine=base.engine,
        context=base.context,
        threads=options.threads,
        memory_bytes=None,
        memory_how="",
        memory_limit_bytes=None,
        source=None,
        plan=ManifestPlan(base.target, base.profile, "gguf", "lora", base.context, "none", adapter.tensors),
        tools=dict(tools),
        base_sha256=base.sha256,
        chat=None,
        fallback=None,
        licences=(adapter_licence(adapter),),
        licence_accepted=licence_accepted,
        report_sha256=None,
        request=BundleRequest(
            archives=False,
            application_id="",
            delivery=options.delivery,
            parts=(),
            xcframework_url="",
            xcframework_checksum="",
            executorch_revision="",
            runner_sha256="",
            python_sha256="",
            wheels_sha256="",
        ),
        files=files,
    )


def _check_pairs(path: Path, base_name: str, header: GgufHeader, of_base: GgufHeader) -> None:
    """Every tensor has its other half, a tensor of the base that it changes, and that tensor's shape."""
    shapes = {tensor.name: tensor.shape for tensor in of_base.tensors}
    halves = {tensor.name: tensor.shape for tensor in header.tensors}
    if not halves:
        raise DataError(f"{path} holds no tensors", hint="convert the adapter again")
    for name in halves:
        stem, suffix = name[:-7], name[-7:]
        if suffix not in _SUFFIXES or not all(f"{stem}{other}" in halves for other in _SUFFIXES):
            raise DataError(f"{path}: the tensor {name} is no half of a LoRA pair", hint="convert the adapter again")
        if stem not in shapes:
            raise DataError(f"{path} changes {stem}, which {base_name} has not", hint="take the adapter's own base")
        a, b = halves[f"{stem}.lora_a"], halves[f"{stem}.lora_b"]
        if len(a) != 2 or len(b) != 2:
            raise DataError(f"{path}: the adapter's halves of {stem} are no matrices", hint="convert the adapter again")
        # (rank, in) and (out, rank) of an (out, in) matrix; an embedding's rows are looked up, so its A is turned.
        made = (a[0], b[0]) if stem == _EMBEDDING else (b[0], a[-1])
        inner = (a[-1], b[-1]) if stem == _EMBEDDING else (a[0], b[-1])
        if inner[0] != inner[1] or made != shapes[stem]:
            raise DataError(
                f"{path}: {stem} is {shapes[stem]} in {base_name}, and the adapter's halves are {a} and {b}",
                hint="take the adapter's own base",
            )


def _text(header: GgufHeader, key: str) -> str:
    value = header.value(key)
    return plain(value).strip()[:200] if isinstance(value, str) else ""
