"""Sign a folder, or one file, by the library: with a key, or by an identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from edgeshrink.bundle.archives.reading import safe_name
from edgeshrink.bundle.cargo import FOLDER_MODE, write_file
from edgeshrink.bundle.signing.claims import make_claims
from edgeshrink.bundle.signing.envelope import read_envelope
from edgeshrink.bundle.signing.file_digests import read_bounded, sha256_of
from edgeshrink.bundle.signing.keys import check_private
from edgeshrink.bundle.signing.library import need_library, unheard
from edgeshrink.bundle.signing.names import CLAIMS_NAME, SIGNATURE_NAME
from edgeshrink.bundle.signing.walking import Walk, walk
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.plain import plain
from edgeshrink.core.signature import Claims
from edgeshrink.core.values import to_json
from edgeshrink.errors import DataError, StepFailed

_MOST_TOLD: Final = 3
_Configure = Callable[[Any], Any]


def sign(
    folder: Path,
    *,
    key: Path,
    passphrase: str | None,
    signer: str,
    tools: Mapping[str, str],
    now: datetime,
    known_sha256: Mapping[str, str] | None = None,
    subject: str = "",
    listener: Listener = silent,
) -> Claims:
    """Sign everything in `folder` with the private `key`: writes signature/claims.json and signature/model.sig.

    `known_sha256`: digests by name of files that were just written, so that they are not read again. `subject`: what
    the signature calls the folder; its own name when left out. UsageError where the key cannot be used, DataError where
    the folder holds what cannot be signed. A folder that was signed before is signed anew.
    """
    check_private(key, passphrase=passphrase)
    claims = _Claiming(signer, tools, now)
    return _sign(folder, claims, _by_key(key, passphrase), False, known_sha256, subject, listener)


def sign_keyless(
    folder: Path,
    *,
    signer: str,
    tools: Mapping[str, str],
    now: datetime,
    identity_token: str | None = None,
    known_sha256: Mapping[str, str] | None = None,
    subject: str = "",
    listener: Listener = silent,
) -> Claims:
    """The same by an identity, through Sigstore: online, its public log keeps the identity and the digest for ever.

    The identity is that of `identity_token`, else of the machine (in CI), else who logs in in the browser. StepFailed
    where Sigstore does not answer, or nobody logs in.
    """
    need_library()
    claims = _Claiming(signer, tools, now)
    return _sign(folder, claims, _by_identity(identity_token), True, known_sha256, subject, listener)


def sign_file(
    path: Path,
    signature_path: Path,
    *,
    key: Path,
    passphrase: str | None,
    sha256: str | None = None,
    listener: Listener = silent,
) -> None:
    """Sign one file; the signature stands outside of it, at `signature_path`. `sha256`: of the file, if it is known."""
    check_private(key, passphrase=passphrase)
    from edgeshrink.bundle.signing.hashing import FILE_SERIALIZATION, StrictHashing

    hashing = StrictHashing(
        known_sha256={".": sha256} if sha256 else {}, task=f"signing {path.name}", listener=listener
    )
    _write_signature(path, signature_path, hashing, _by_key(key, passphrase), False, FILE_SERIALIZATION)


class _Claiming:
    """What is claimed, whatever the folder holds."""

    def __init__(self, signer: str, tools: Mapping[str, str], now: datetime) -> None:
        self._said = signer, tools, now

    def about(self, digests: Mapping[str, str]) -> Claims:
        return make_claims(*self._said, digests)


def _by_key(key: Path, passphrase: str | None) -> _Configure:
    # The library says str and hands it on to cryptography, which takes bytes alone.
    password = cast(Any, None if passphrase is None else passphrase.encode())
    return lambda config: config.use_elliptic_key_signer(private_key=key, password=password)


def _by_identity(token: str | None) -> _Configure:
    return lambda config: config.use_sigstore_signer(use_ambient_credentials=True, identity_token=token)


def _sign(
    folder: Path,
    claiming: _Claiming,
    configure: _Configure,
    keyless: bool,
    known_sha256: Mapping[str, str] | None,
    subject: str,
    listener: Listener,
) -> Claims:
    from edgeshrink.bundle.signing.hashing import FOLDER_SERIALIZATION, StrictHashing

    signature, claims_file = folder / SIGNATURE_NAME, folder / CLAIMS_NAME
    for half in (_half(signature), _half(claims_file)):  # of a run that was killed
        half.unlink(missing_ok=True)
    task = f"signing {plain(subject or folder.resolve().name)}"
    walked = walk(folder)
    _refuse_unfit(folder, walked)
    files = [file for file in walked.files if file.name != CLAIMS_NAME]
    digests, failures = sha256_of(files, known=known_sha256 or {}, task=task, listener=listener)
    for name, why in failures.items():
        raise DataError(f"{folder / name} {why}")
    claims = claiming.about(digests)
    before = read_bounded(claims_file, 1 << 20) if claims_file.exists() else None
    _replace(claims_file, to_json(claims).encode())
    signature.parent.chmod(FOLDER_MODE)
    try:
        hashing = StrictHashing(known_sha256=digests, subject=subject, task=task, listener=listener)
        _write_signature(folder, signature, hashing, configure, keyless, FOLDER_SERIALIZATION)
    except BaseException:
        if before is None:
            claims_file.unlink(missing_ok=True)
        else:
            _replace(claims_file, before)
        raise
    return claims


def _write_signature(
    path: Path, signature: Path, hashing: Any, configure: _Configure, keyless: bool, serialization: dict[str, Any]
) -> None:
    from model_signing import signing

    from edgeshrink.bundle.signing.hashing import Unsignable

    half = _half(signature)
    config = signing.Config().set_hashing_config(hashing)  # type: ignore[no-untyped-call]
    try:
        # A person who has to log in must see what the library asks of them.
        with nullcontext() if keyless else unheard():
            try:
                configure(config).sign(path, half)
            except Unsignable as error:
                raise DataError(f"{path} changed while it was signed", hint="sign it again") from error
            except OSError:
                raise
            except Exception as error:
                if not keyless:
                    raise
                said = plain(str(error))[:300] or type(error).__name__
                hint = "it needs the network and somebody to log in; --key signs offline"
                raise StepFailed(f"Sigstore made no signature: {said}", hint=hint) from error
        content = half.read_bytes()
        read_envelope(content, keyless=keyless, serialization=serialization)  # what we would refuse is never written
        _replace(signature, content)
    finally:
        half.unlink(missing_ok=True)


def _refuse_unfit(folder: Path, walked: Walk) -> None:
    told = [f"{plain(finding.name)} {plain(finding.detail)}" for finding in walked.problems]
    told += [f"{plain(name)} is an empty folder, which no signature covers" for name in walked.empty]
    told += [f"{plain(file.name)!r} is no name for every system" for file in walked.files if not _portable(file.name)]
    if told:
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        raise DataError(f"{folder} cannot be signed: {'; '.join(told[:_MOST_TOLD])}{more}", hint="remove them first")
    if not walked.files:
        raise DataError(f"{folder} is empty: there is nothing to sign")


def _portable(name: str) -> bool:
    """Whether the name can be shown as it is, and be a name anywhere."""
    return safe_name(name) and plain(name) == name


def _half(path: Path) -> Path:
    return path.with_name(f".{path.name}.half")


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    write_file(_half(path), content).replace(path)
