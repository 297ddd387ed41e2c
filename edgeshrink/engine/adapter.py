"""`bundle ADAPTER.gguf --base BASE`: a LoRA adapter, bound to the artifact of a bundle or of a build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgeshrink.bundle.adapter import AdapterBase, adapter_licence, read_adapter, write_adapter
from edgeshrink.bundle.cargo import settle_modes
from edgeshrink.bundle.licences.judging import refuse_forbidden, sentences
from edgeshrink.core.bundle import BUNDLE_NAME, BundleOptions
from edgeshrink.core.bundled import Bundled
from edgeshrink.core.events import Listener, silent
from edgeshrink.engine.built import read_built
from edgeshrink.engine.bundle_manifest import engine_of, read_bundle
from edgeshrink.engine.bundle_names import check_name, check_version, slug
from edgeshrink.engine.bundle_options import check_options
from edgeshrink.engine.bundle_place import check_place, refuse_loss
from edgeshrink.engine.installed import versions
from edgeshrink.engine.seal import Seal, check_seal, sealed
from edgeshrink.engine.whole_folder import whole_folder
from edgeshrink.errors import UsageError


def bundle_adapter(
    path: Path,
    base: Path,
    folder: Path,
    options: BundleOptions,
    *,
    seal: Seal | None,
    accept_licence: bool = False,
    listener: Listener = silent,
) -> Bundled:
    """Bundle the adapter in `path` into `folder`: whole, or not at all. DataError where it does not fit `base`."""
    check_place(folder, base)
    check_seal(seal)
    if options.kind not in (None, "laptop"):
        raise UsageError(f"an adapter has no bundle for {options.kind}", hint="leave --for out: the loader takes it")
    check_options("laptop", options)
    if options.runner is not None or options.with_runner:
        raise UsageError("an adapter has no runner of its own", hint="the bundle of its base has one")
    if not path.is_file():
        raise UsageError(f"{path} is no file", hint="with --base, name the adapter's GGUF")
    known = adapter_base(base)
    adapter = read_adapter(path, known)
    settled = replace(options, kind="laptop", name=check_name(options.name) if options.name else slug(adapter.name))
    check_version(options.version)
    licences = (adapter_licence(adapter),)
    refuse_forbidden(licences, accepted=accept_licence)
    with whole_folder(folder) as staging:
        cargo = write_adapter(
            adapter,
            known,
            staging,
            settled,
            licence_accepted=accept_licence,
            tools={"edgeshrink (bundle)": versions()["edgeshrink"]},
            listener=listener,
        )
        settle_modes(staging)
        refuse_loss(folder, staging, cargo.manifest)
        digests = {file.name: file.sha256 for file in cargo.manifest.files}
        claims = sealed(staging, seal, cargo.manifest, digests, listener)
    return Bundled(folder, cargo.manifest, claims, sentences(licences, accepted=accept_licence))


def adapter_base(base: Path) -> AdapterBase:
    """The artifact of a bundle, or of a folder that `build` wrote."""
    if (base / BUNDLE_NAME).is_file():
        manifest = read_bundle(base)
        if manifest.base_sha256 is not None:
            raise UsageError(f"{base} is an adapter itself", hint="name the bundle or build of its base")
        return AdapterBase(
            name=Path(manifest.main).name,
            model=base / manifest.main,
            sha256=manifest.artifact_sha256,
            format=manifest.format,
            engine=manifest.engine,
            context=manifest.context,
            target=manifest.plan.target,
            profile=manifest.plan.profile,
        )
    built = read_built(base)
    return AdapterBase(
        name=built.report.artifact.file,
        model=built.opened,
        sha256=built.report.artifact.sha256,
        format=built.report.artifact.format,
        engine=engine_of(built),
        context=built.report.context,
        target=built.report.target,
        profile=built.report.profile,
    )
