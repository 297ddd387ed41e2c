"""The verb `bundle`: from a verified build to what a developer of one platform drops into a project, signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgeshrink.bundle.archives.entries import copy_hashed
from edgeshrink.bundle.cargo import FILE_MODE, Cargo, settle_modes, write_file
from edgeshrink.bundle.chat import chat_of
from edgeshrink.bundle.chat_words import read_words
from edgeshrink.bundle.documents.bom import write_bom
from edgeshrink.bundle.documents.provenance import write_provenance
from edgeshrink.bundle.licences.judging import licences_of, refuse_forbidden, sentences
from edgeshrink.bundle.licences.texts import licence_texts
from edgeshrink.bundle.registry import bundler
from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.catalog.requirements import check_extra
from edgeshrink.catalog.targets import load_target
from edgeshrink.core.bundle import (
    BUNDLE_NAME,
    KINDS,
    BundleKind,
    BundleOptions,
    Chat,
)
from edgeshrink.core.bundled import Bundled
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.plain import plain
from edgeshrink.core.values import to_json
from edgeshrink.engine.built import Built, read_built
from edgeshrink.engine.bundle_manifest import engine_of, manifest_of
from edgeshrink.engine.bundle_names import check_name, check_version, slug
from edgeshrink.engine.bundle_options import check_options, check_runner
from edgeshrink.engine.bundle_place import check_disk, check_place, refuse_loss
from edgeshrink.engine.bundle_runner import device_profile, runner_for_bundle
from edgeshrink.engine.seal import Seal, check_seal, sealed
from edgeshrink.engine.whole_folder import whole_folder
from edgeshrink.errors import DataError, UsageError

_UNSIGNED = "The bundle that stood here was signed, and this one is not: --key signs it."
_SMALL_FILES_BYTES = 32 << 20
"""More than documents, code and a runner take together, besides the model."""


def bundle(
    out: Path,
    folder: Path,
    options: BundleOptions,
    *,
    seal: Seal | None,
    accept_licence: bool = False,
    accept_verdict: bool = False,
    listener: Listener = silent,
) -> Bundled:
    """Bundle the build in `out` into `folder`: whole, or not at all. Without `seal` it is not signed.

    UsageError, DataError, ToolMissing before anything is written; NoSpace names what is needed.
    """
    check_extra("bundle")
    check_place(folder, out)
    check_seal(seal)
    built = read_built(out)
    if built.report.verdict.outcome == "FAIL" and not accept_verdict:
        failed = ", ".join(line.name for line in built.report.verdict.lines if line.outcome == "FAIL")
        raise UsageError(
            f"{out} failed its budget: {failed}", hint="build what fits, or say --accept-verdict to bundle it anyway"
        )
    # Before the runner, which may take minutes to build.
    refuse_forbidden(licences_of(built.report, engine_of(built), built.licence_texts), accepted=accept_licence)
    settled = _settled(built, options, listener)
    return write_bundle(built, folder, settled, seal=seal, accept_licence=accept_licence, listener=listener)


def _settled(built: Built, options: BundleOptions, listener: Listener) -> BundleOptions:
    """Nothing left open: the target's kind, the model's name, the runner of the profile's device."""
    kind = options.kind or _kind_of(built)
    source = built.report.source
    name = check_name(options.name) if options.name else slug(source.given if source else built.report.artifact.file)
    check_version(options.version)
    check_options(kind, options)
    runner = options.runner
    if runner is not None:
        check_runner(kind, device_profile(kind, built.report.profile, listener), runner)
    elif options.with_runner or (kind == "jetson" and built.runtime == "llama_cpp"):
        profile = device_profile(kind, built.report.profile, listener)
        runner = runner_for_bundle(kind, profile, listener=listener).path
    return replace(options, kind=kind, name=name, runner=runner)


def write_bundle(
    built: Built,
    folder: Path,
    options: BundleOptions,
    *,
    seal: Seal | None,
    accept_licence: bool = False,
    listener: Listener = silent,
) -> Bundled:
    """The same of a build that was read already."""
    engine = engine_of(built)
    licences = licences_of(built.report, engine, built.licence_texts)
    refuse_forbidden(licences, accepted=accept_licence)
    chat, chat_notes, template = _chat(built)
    documents = dict(built.documents) | licence_texts(engine, built.licence_texts)
    documents |= {} if template is None else {"chat_template.jinja": template.encode()}
    artifact = tuple(ManifestFile(file.name, file.sha256, file.nbytes) for file in built.files)
    documents["provenance.json"] = write_provenance(
        built.report, artifact, built.manifest.versions, built.lock, byproducts=(built.report_file,)
    )
    documents["bom.cdx.json"] = write_bom(
        built.report, artifact, built.manifest.versions, engine, licences, lock=built.lock
    )
    assert options.kind is not None
    writer = bundler(options.kind)
    tools = writer.tools(options)
    manifest = manifest_of(built, options, engine, chat, licences, accept_licence, documents, tools)
    writer.check(manifest, options)
    copies = 1 + writer.copies(manifest, options)
    check_disk(folder, copies * (built.nbytes + _brought_bytes(options)) + _SMALL_FILES_BYTES, listener)
    was_signed = seal is None and (folder / SIGNATURE_NAME).is_file()
    with whole_folder(folder) as staging:
        for file in built.files:
            if copy_hashed(file.path, staging / file.name, listener) != file.sha256:
                raise DataError(f"{file.path} is not as it was built", hint="build it again")
            (staging / file.name).chmod(FILE_MODE)
        for name, content in documents.items():
            write_file(staging / name, content)
        write_file(staging / BUNDLE_NAME, to_json(manifest))
        notes = writer.write(Cargo(staging, manifest), options, listener)
        settle_modes(staging)
        refuse_loss(folder, staging, manifest)
        known = {file.name: file.sha256 for file in built.files}
        claims = sealed(staging, seal, manifest, known, listener)
    said = (*chat_notes, *sentences(licences, accepted=accept_licence), *notes, *_adapters_apart(built))
    told = (*said, *([_UNSIGNED] if was_signed else []))
    return Bundled(folder, manifest, claims, told)


def _adapters_apart(built: Built) -> Iterator[str]:
    """Adapters ship and are updated apart from their base."""
    if not built.report.adapters:
        return
    names = plain(", ".join(one.name for one in built.report.adapters))
    if built.report.artifact.format == "gguf":
        yield f"Its adapters ({names}) are bundles of their own: edgeshrink bundle OUT/adapters/NAME.gguf --base OUT."
    else:
        yield f"Its adapters ({names}) are not in it: hand the files of OUT/adapters out beside it."


def _kind_of(built: Built) -> BundleKind:
    """The kind that the build's target takes."""
    kind = load_target(built.report.target).bundle
    for known in KINDS:
        if kind == known:
            return known
    raise DataError(f"the target {built.report.target} names the bundle {kind!r}", hint=f"known: {', '.join(KINDS)}")


def _chat(built: Built) -> tuple[Chat | None, tuple[str, ...], str | None]:
    if built.network:
        return None, (), None
    words = read_words(built.opened, built.runtime)
    chat, notes = chat_of(words, today=built.report.created_at)
    return chat, notes, words.template


def _brought_bytes(options: BundleOptions) -> int:
    """A Python and wheels that come along."""
    folders = (folder for folder in (options.python, options.wheels) if folder is not None)
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file())
