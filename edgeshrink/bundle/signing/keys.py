"""Signing keys: an elliptic-curve pair in PEM files, the private one for its owner's eyes alone."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeshrink.bundle.signing.file_digests import Unreadable, read_bounded
from edgeshrink.bundle.signing.library import need_library
from edgeshrink.errors import NO_SPACE, NoSpace, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_MOST_BYTES: Final = 64 << 10
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NEW = "`edgeshrink keys new -o FOLDER` makes a pair"


@dataclass(frozen=True, slots=True)
class NewKeys:
    """`fingerprint`: sha256 of the public key's PEM, as a signature names its key."""

    private: Path
    public: Path
    fingerprint: str


def new_keys(folder: Path, *, name: str = "edgeshrink", passphrase: str | None = None) -> NewKeys:
    """Write a new P-256 pair: `<name>.key` (PKCS #8, mode 0600, encrypted by the passphrase) and `<name>.pub`.

    Never overwrites. UsageError where a file is there already or the folder cannot be written.
    """
    need_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} names no key: letters, digits, dots, dashes and underscores do")
    if passphrase == "":
        raise UsageError("the passphrase is empty", hint="leave it out for a key that is not encrypted")
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    for path in (private, public):
        if os.path.lexists(path):
            raise UsageError(f"{path} exists: a key is never overwritten", hint="choose another --name or folder")
    key = ec.generate_private_key(ec.SECP256R1())
    encryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    private_pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public_pem = _public_pem(key.public_key())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _create(private, private_pem, 0o600)
        try:
            _create(public, public_pem, 0o644)
        except BaseException:
            private.unlink()
            raise
    except FileExistsError as error:
        raise UsageError(
            f"{error.filename} exists: a key is never overwritten", hint="choose another --name"
        ) from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise NoSpace(f"no space left to write {private}", hint="free some space and run it again") from error
        hint = "choose a folder you may write to"
        raise UsageError(f"{folder} cannot hold the keys: {error.strerror}", hint=hint) from error
    return NewKeys(private, public, hashlib.sha256(public_pem).hexdigest())


def check_private(path: Path, *, passphrase: str | None = None) -> str:
    """The fingerprint of the pair that the private key `path` belongs to.

    UsageError where it is no private key of a supported curve, others may read it, or the passphrase does not fit.
    """
    return fingerprint_of(read_private(path, passphrase).public_key())


def read_private(path: Path, passphrase: str | None) -> EllipticCurvePrivateKey:
    need_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = _content(path)
    if b"PUBLIC KEY-----" in content:
        raise UsageError(f"{path} is a public key: signing needs the private one", hint=_NEW)
    if b"PRIVATE KEY-----" not in content:
        raise UsageError(f"{path} is no private key in PEM form", hint=_NEW)
    if os.name != "nt" and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise UsageError(
            f"{path} can be read by others (mode {mode:04o}): keep it to yourself", hint=f"chmod 600 {path}"
        )
    try:
        key = serialization.load_pem_private_key(content, None if passphrase is None else passphrase.encode())
    except TypeError as error:
        if passphrase is None:
            hint = "give it with --passphrase or --passphrase-file, or in EDGESHRINK_KEY_PASSPHRASE"
            raise UsageError(f"{path} is encrypted: it needs its passphrase", hint=hint) from error
        raise UsageError(f"{path} has no passphrase, and one was given", hint="leave the passphrase out") from error
    except Exception as error:  # what cryptography raises for a wrong passphrase differs between its releases
        if passphrase is not None:
            raise UsageError(f"the passphrase does not open {path}", hint="check it, and try again") from error
        raise UsageError(f"{path} is no private key that can be read", hint=_NEW) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UsageError(f"{path} holds another sort of key: {_supported()}", hint=_NEW)
    _check_curve(path, key.curve.name)
    return key


def read_public(path: Path) -> tuple[bytes, str]:
    """The PEM of the public key `path` as it stands in the file, and its fingerprint. UsageError where it is none."""
    need_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    content = _content(path)
    if b"PRIVATE KEY-----" in content:
        raise UsageError(f"{path} is a private key: verifying needs the public one", hint="give the .pub beside it")
    try:
        key = serialization.load_pem_public_key(content)
    except Exception as error:
        raise UsageError(f"{path} is no public key in PEM form", hint="ask the signer for the .pub file") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UsageError(f"{path} holds another sort of key: {_supported()}")
    _check_curve(path, key.curve.name)
    return content, fingerprint_of(key)


def fingerprint(path: Path) -> str:
    """Of the public key in the file `path`: sha256 of its PEM, lower-case hex."""
    return read_public(path)[1]


def fingerprint_of(key: EllipticCurvePublicKey) -> str:
    return hashlib.sha256(_public_pem(key)).hexdigest()


def _public_pem(key: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _content(path: Path) -> bytes:
    try:
        return read_bounded(path.resolve(), _MOST_BYTES)
    except Unreadable as error:
        raise UsageError(f"the key {path} {error}", hint=_NEW) from error
    except (OSError, RuntimeError) as error:  # a loop of links
        raise UsageError(f"the key {path} cannot be read", hint=_NEW) from error


def _check_curve(path: Path, curve: str) -> None:
    if curve not in _CURVES:
        raise UsageError(f"{path} is of the curve {curve}: {_supported()}", hint=_NEW)


def _supported() -> str:
    *most, last = _CURVES.values()
    return f"keys of {', '.join(most)} and {last} are supported"


def _create(path: Path, content: bytes, mode: int) -> None:
    """A new file that never had another mode, whatever the umask."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(number, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(number, mode)
            file.write(content)
            file.flush()
            os.fsync(number)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
