"""The verb `delta`: from two builds to the patch that makes the one from the other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edgeshrink.bundle.delta.checking import fresh_bytes, new_sizes
from edgeshrink.bundle.delta.make import Made, make_patch
from edgeshrink.bundle.delta.packing import library_version
from edgeshrink.bundle.delta.trees import Tree, read_tree
from edgeshrink.core.bundle import BUNDLE_NAME
from edgeshrink.core.delta import DELTA_SUFFIX, DeltaSummary, KeptFile
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.signature import Claims
from edgeshrink.engine.installed import versions
from edgeshrink.engine.seal import Seal
from edgeshrink.engine.whole_folder import whole_file
from edgeshrink.errors import UsageError
from edgeshrink.report.manifest import MANIFEST_NAME

SIGNATURE_SUFFIX: Final = ".sig"
_ARTIFACTS: Final = (".gguf", ".pte", ".onnx")
_HINT = "name two bundles, two build folders, or two files of one of the kinds " + ", ".join(_ARTIFACTS)


def signature_of(patch: Path) -> Path:
    """Where the signature of a patch stands."""
    return patch.with_name(patch.name + SIGNATURE_SUFFIX)


def delta(
    old: Path, new: Path, patch: Path | None = None, *, seal: Seal | None = None, listener: Listener = silent
) -> DeltaSummary:
    """Write `patch` (NEW.edgeshrink-delta when left out), and its signature beside it where there is a `seal`.

    A patch that stood there is replaced whole. UsageError where the two are not builds of one kind, DataError where
    they hold links, ToolMissing, NoSpace.
    """
    old, new = old.resolve(), new.resolve()
    patch = new.with_name(new.name + DELTA_SUFFIX) if patch is None else patch.resolve()
    tools = {"edgeshrink": versions()["edgeshrink"], "zstd": library_version()}
    fingerprint = "" if seal is None else _fingerprint(seal)
    _check_place(patch, old, new)
    old_tree, new_tree = read_tree(old), read_tree(new)
    _check_kind(old_tree, new_tree)

    def claim(digests: dict[str, str]) -> Claims:
        from edgeshrink.bundle.signing.claims import make_claims

        assert seal is not None and seal.key is not None
        return make_claims(seal.signer or seal.key.stem, tools, datetime.now(UTC), digests)

    with whole_file(patch) as place:
        made = make_patch(old_tree, new_tree, place, tools=tools, claim=claim if seal else None, listener=listener)
        place.chmod(0o644)
        signature_of(patch).unlink(missing_ok=True)  # of the patch that goes
    if seal is not None and seal.key is not None:
        from edgeshrink.bundle.signing.sign import sign_file

        sign_file(patch, signature_of(patch), key=seal.key, passphrase=seal.passphrase, listener=listener)
    return _summary(made, old_tree, patch, fingerprint)


def kind_of_build(root: Path) -> str:
    """What a folder or a file is, as the person knows it; UsageError where it is none of ours."""
    if root.is_file() and root.suffix in _ARTIFACTS:
        return f"a {root.suffix} file"
    if (root / BUNDLE_NAME).is_file():
        return "a bundle"
    if (root / MANIFEST_NAME).is_file():
        return "a build folder"
    raise UsageError(f"{root} is no build of edgeshrink", hint=_HINT)


def _check_kind(old: Tree, new: Tree) -> None:
    kinds = kind_of_build(old.root), kind_of_build(new.root)
    if kinds[0] != kinds[1]:
        raise UsageError(f"{old.root} is {kinds[0]}, and {new.root} is {kinds[1]}", hint=_HINT)


def _check_place(patch: Path, old: Path, new: Path) -> None:
    for root in (old, new):
        if patch == root or root in patch.parents:
            raise UsageError(f"{patch} would be in {root}", hint="name a place outside of both builds with -o")


def _fingerprint(seal: Seal) -> str:
    from edgeshrink.bundle.signing.keys import check_private

    if seal.key is None:
        raise UsageError("a patch is signed with a key", hint="give --key PRIVATE")
    return check_private(seal.key, passphrase=seal.passphrase)


def _summary(made: Made, old: Tree, patch: Path, fingerprint: str) -> DeltaSummary:
    header = made.header
    before = {file.name for file in old.files}
    kept = {file.name for file in header.new if isinstance(file, KeptFile) and file.of == "old"}
    names = {file.name for file in header.new}
    single = header.kind == "file"
    return DeltaSummary(
        patch=str(patch),
        patch_bytes=patch.stat().st_size,
        new_bytes=sum(new_sizes(header)),
        fresh_bytes=fresh_bytes(header),
        kept=tuple(sorted(kept)),
        changed=tuple(sorted(names - kept if single else (names & before) - kept)),
        added=() if single else tuple(sorted(names - before - kept)),
        removed=() if single else tuple(sorted(before - names)),
        tensors=made.tensors,
        signature=str(signature_of(patch)) if fingerprint else "",
        key=fingerprint,
    )
