"""The verb `rebuild`: make a bundle again from what it recorded, and say which byte differs if one does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgeshrink.core.bundle import BUNDLE_NAME, MODEL_FOLDER, BundleManifest
from edgeshrink.core.bundled import Difference, Rebuilt
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.lock import Lock
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.engine.artifacts import Finished, Found, find_artifact
from edgeshrink.engine.built import Built, BuiltFile, recorded_documents
from edgeshrink.engine.bundle import write_bundle
from edgeshrink.engine.bundle_manifest import given_options, read_bundle
from edgeshrink.engine.bundle_place import payload_names
from edgeshrink.engine.remake import remake
from edgeshrink.errors import DataError, UsageError
from edgeshrink.store import Store, store_root
from edgeshrink.store.digests import file_sha256

_CHUNK_BYTES = 4 << 20
_RUNNERS = ("edgeshrink-runner", "libedgeshrink_runner.so")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a bundle names and does not carry; None: the hub, the demo, the bundle itself, or not needed."""

    model: str | None = None
    calibration: Path | None = None
    imatrix: Path | None = None
    runner: Path | None = None
    python: Path | None = None
    wheels: Path | None = None
    offline: bool = False


def rebuild(bundle: Path, inputs: Inputs, *, listener: Listener = silent) -> Rebuilt:
    """Make `bundle` (its folder, or its bundle.json) again in a scratch folder and compare every byte but signatures.

    Measurements are recorded inputs: they are taken from the bundle. UsageError names an input that is missing.
    """
    bundle = bundle.parent if bundle.name == BUNDLE_NAME else bundle
    manifest = read_bundle(bundle)
    if manifest.base_sha256 is not None:
        raise UsageError(f"{bundle} is an adapter, which was made elsewhere", hint="rebuild its base")
    build_manifest, report, lock, documents = recorded_documents(bundle)
    request = _request(manifest, lock, inputs)
    store_root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rebuild-", dir=store_root()) as scratch:
        artifact, drifted = remake(request, lock, report, Store(Path(scratch) / "store"), listener)
        found = _found(bundle, manifest)
        prefix = f"licenses/{MODEL_FOLDER}/"
        built = Built(
            opened=artifact.path,
            runtime=found.runtime,
            network=found.network,
            manifest=build_manifest,
            report=report,
            lock=lock,
            files=_files(artifact, report),
            documents=documents,
            licence_texts={
                file.name.removeprefix(prefix): (bundle / file.name).read_bytes()
                for file in manifest.files
                if file.name.startswith(prefix)
            },
        )
        runner, recorded = _runner(bundle, manifest, inputs)
        options = replace(given_options(manifest), runner=runner, python=inputs.python, wheels=inputs.wheels)
        again = Path(scratch) / "bundle"
        write_bundle(built, again, options, seal=None, accept_licence=manifest.licence_accepted, listener=listener)
        names = sorted({*payload_names(bundle), *payload_names(again)})
        differences = tuple(_differences(bundle, again, names))
        nbytes = sum((again / name).stat().st_size for name in names if (again / name).is_file())
        return Rebuilt(manifest, len(names), nbytes, differences, drifted, ("report and measurements", *recorded))


def _request(manifest: BundleManifest, lock: Lock, inputs: Inputs) -> Request:
    locked = lock.request
    if locked.calibration and inputs.calibration is None:
        raise UsageError(
            f"the bundle was calibrated with {locked.calibration}, which it does not carry",
            hint="name it: --calibration",
        )
    named_matrix = locked.imatrix not in ("default", "auto", "none")
    if named_matrix and inputs.imatrix is None:
        raise UsageError(f"the bundle needs the importance matrix {locked.imatrix}", hint="name it: --imatrix")
    model = inputs.model or lock.model.hub_id
    if model is None and lock.model.given is not None:
        raise UsageError(
            f"the bundle was made of {lock.model.given}, a folder or file that it does not carry",
            hint="name it: --model",
        )
    return Request(
        model=model,
        target=locked.target,
        profile=locked.profile,
        format=locked.format,
        scheme=locked.scheme,
        delegate=locked.delegate or None,
        tensor_types=locked.tensor_types,
        expert_types=locked.expert_types,
        imatrix=str(inputs.imatrix) if named_matrix else locked.imatrix,
        calibration=inputs.calibration,
        context=locked.context or None,
        offline=inputs.offline,
        revision=lock.model.revision if model == lock.model.hub_id else None,
    )


def _found(bundle: Path, manifest: BundleManifest) -> Found:
    return find_artifact(bundle / manifest.main)


def _files(artifact: Finished, report: Report) -> tuple[BuiltFile, ...]:
    """Named as the build named them. A file that came out otherwise keeps its own digest, and differs below."""
    name = report.artifact.file
    return tuple(
        BuiltFile(
            f"{MODEL_FOLDER}/{name}/{inside}" if report.artifact.files else f"{MODEL_FOLDER}/{name}",
            path,
            sha256,
            path.stat().st_size,
        )
        for inside, path, sha256 in artifact.files
    )


def _runner(bundle: Path, manifest: BundleManifest, inputs: Inputs) -> tuple[Path | None, tuple[str, ...]]:
    """The native runner is an input: compilers are not pinned."""
    wanted = manifest.request.runner_sha256
    if inputs.runner is not None or not wanted:
        return inputs.runner, ()
    for name in _RUNNERS:
        for path in sorted(bundle.rglob(name)):
            if path.is_file() and not path.is_symlink() and file_sha256(path) == wanted:
                return path, ("the native runner",)
    raise DataError(f"{bundle} does not show the native runner that it was made with", hint="name it: --runner FILE")


def _differences(one: Path, other: Path, names: list[str]) -> Iterator[Difference]:
    for name in names:
        there = [(folder / name).is_file() and not (folder / name).is_symlink() for folder in (one, other)]
        if not all(there):
            yield Difference(name, None, "only in the rebuild" if there[1] else "only in the bundle, or no file there")
        elif found := _first_difference(one / name, other / name):
            yield Difference(name, *found)


def _first_difference(one: Path, other: Path) -> tuple[int, str] | None:
    offset = 0
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            here, there = first.read(_CHUNK_BYTES), second.read(_CHUNK_BYTES)
            if here == there:
                if not here:
                    return None
                offset += len(here)
                continue
            at = next((index for index, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), None)
            if at is None:
                shorter = min(len(here), len(there))
                return offset + shorter, "one ends here, the other goes on"
            return offset + at, f"0x{here[at]:02x} in the bundle, 0x{there[at]:02x} in the rebuild"
