"""Verify a signed folder or file: the library judges the signature, and here every difference gets its name."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.bundle.signing.claims import read_claims
from edgeshrink.bundle.signing.content import read_content
from edgeshrink.bundle.signing.differences import differences
from edgeshrink.bundle.signing.envelope import MOST_BYTES, Refused
from edgeshrink.bundle.signing.file_digests import Unreadable, read_bounded
from edgeshrink.bundle.signing.judging import judge, trust
from edgeshrink.bundle.signing.library import need_library
from edgeshrink.bundle.signing.names import SIGNATURE_NAME
from edgeshrink.core.bundle import SIGNATURE_FOLDER
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plain import plain
from edgeshrink.core.signature import Finding, Verification
from edgeshrink.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file that is as its signature says. `key`: fingerprint of the key, or the identity."""

    sha256: str
    nbytes: int
    key: str


def verify(
    folder: Path,
    *,
    key: Path | None = None,
    identity: str | None = None,
    issuer: str | None = None,
    listener: Listener = silent,
) -> Verification:
    """Whether `folder` is, byte for byte, what the owner of the public `key` (or `identity`) signed, and what is not.

    Nothing in it is believed before the signature is found good. UsageError where it cannot be checked: no such folder,
    no usable key. StepFailed where a keyless signature cannot be checked offline.
    """
    need_library()
    from edgeshrink.bundle.signing.hashing import FOLDER_SERIALIZATION, StrictHashing

    trusted = trust(key, identity, issuer)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="name the folder of a bundle")
    if (folder / SIGNATURE_FOLDER).is_symlink():
        linked = (Finding("link", SIGNATURE_FOLDER, "is a link: no signature is looked for behind it"),)
        return Verification(str(folder), 0, 0, trusted.name, None, linked)
    hashing = StrictHashing(task=f"checking {plain(folder.resolve().name)}", listener=listener)
    try:
        content = _signature(folder / SIGNATURE_NAME)
        envelope = judge(folder, content, trusted, hashing, FOLDER_SERIALIZATION)
    except Refused as error:
        broken = (Finding("signature", SIGNATURE_NAME, plain(str(error))),)
        return Verification(str(folder), 0, 0, trusted.name, None, broken)
    assert hashing.walked is not None
    found = list(differences(envelope.digests, hashing.digests, hashing.problems))
    if hashing.disagreement and not found:
        found.append(Finding("signature", SIGNATURE_NAME, f"is refused: {hashing.disagreement}"))
    claims, wrong = read_claims(folder, envelope.digests)
    bundle = None
    if not found:
        sizes = {file.name: file.nbytes for file in hashing.walked.files}
        bundle, disagreeing = read_content(folder, envelope.digests, sizes)
        found += [*wrong, *disagreeing]
    return Verification(
        folder=str(folder),
        files=len(hashing.walked.files),
        nbytes=sum(file.nbytes for file in hashing.walked.files),
        key=trusted.name,
        claims=claims,
        findings=tuple(Finding(finding.kind, plain(finding.name), plain(finding.detail)) for finding in found),
        bundle=None if found else bundle,
    )


def verify_file(
    path: Path,
    signature_path: Path,
    *,
    key: Path | None = None,
    identity: str | None = None,
    issuer: str | None = None,
    listener: Listener = silent,
) -> SignedFile:
    """The digest of the file `path`, if it is what was signed. DataError where it is not."""
    need_library()
    from edgeshrink.bundle.signing.hashing import FILE_SERIALIZATION, StrictHashing

    trusted = trust(key, identity, issuer)
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise DataError(f"{path} is no file", hint="name the file that was signed")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    hashing = StrictHashing(task=f"checking {plain(path.name)}", listener=listener)
    try:
        envelope = judge(path, _signature(signature_path), trusted, hashing, FILE_SERIALIZATION)
    except Refused as error:
        raise DataError(f"{signature_path} {plain(str(error))}", hint="take the file and its .sig anew") from error
    assert hashing.walked is not None
    if hashing.problems:
        raise DataError(f"{path} {hashing.problems[0].detail}")
    if hashing.disagreement or hashing.digests != dict(envelope.digests):
        raise DataError(f"{path} is not what was signed: its bytes differ", hint="take the file and its .sig anew")
    return SignedFile(hashing.digests[hashing.walked.files[0].name], hashing.walked.files[0].nbytes, trusted.name)


def _signature(path: Path) -> bytes:
    try:
        return read_bounded(path, MOST_BYTES)
    except Unreadable as error:
        raise Refused("is missing: nothing here is signed" if _absent(path) else str(error)) from error


def _absent(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
