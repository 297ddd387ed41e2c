"""Keys to sign with: made private from the first byte, never overwritten, checked before they are used."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from signed_bundles import sign_again, write_bundle

from edgeshrink.bundle.signing import keys as keys_module
from edgeshrink.bundle.signing.keys import check_private, fingerprint, new_keys
from edgeshrink.bundle.signing.verify import verify
from edgeshrink.errors import UsageError


def written(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_new_pair_belongs_together_and_is_of_p256(tmp_path: Path) -> None:
    made = new_keys(tmp_path / "deep" / "keys", passphrase=None)
    assert (made.private.name, made.public.name) == ("edgeshrink.key", "edgeshrink.pub")
    assert check_private(made.private) == fingerprint(made.public) == made.fingerprint
    assert hashlib.sha256(made.public.read_bytes()).hexdigest() == made.fingerprint
    key = load_pem_private_key(made.private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert made.private.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "keys").mkdir()
    before = os.umask(umask)
    try:
        made = new_keys(tmp_path / "keys", passphrase=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.public.stat().st_mode) == 0o644


def test_the_private_key_is_nobody_elses_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = os.open

    def watched(path: Path, flags: int, mode: int = 0o777) -> int:
        number = real(path, flags, mode)
        seen.append((Path(path).name, stat.S_IMODE(os.fstat(number).st_mode)))
        return number

    before = os.umask(0)
    try:
        monkeypatch.setattr(keys_module.os, "open", watched)
        new_keys(tmp_path, passphrase=None)
    finally:
        os.umask(before)
    assert seen == [("edgeshrink.key", 0o600), ("edgeshrink.pub", 0o644)]


@pytest.mark.parametrize("there", ["edgeshrink.key", "edgeshrink.pub"])
@pytest.mark.parametrize("dangling", [False, True])
def test_no_key_is_ever_overwritten(tmp_path: Path, there: str, dangling: bool) -> None:
    if dangling:
        (tmp_path / there).symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / there).write_text("precious")
    with pytest.raises(UsageError, match="never overwritten"):
        new_keys(tmp_path, passphrase=None)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert dangling or (tmp_path / there).read_text() == "precious"


def test_a_pair_that_cannot_be_written_whole_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = keys_module._create

    def full(path: Path, content: bytes, mode: int) -> None:
        if path.suffix == ".pub":
            raise OSError(5, "Input/output error")
        real(path, content, mode)

    monkeypatch.setattr(keys_module, "_create", full)
    with pytest.raises(UsageError, match="Input/output error"):
        new_keys(tmp_path, passphrase=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b", "a\nb", "-rf"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="names no key"):
        new_keys(tmp_path, name=name, passphrase=None)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        new_keys(tmp_path / "file", passphrase=None)


def test_a_passphrase_opens_what_it_closed(tmp_path: Path) -> None:
    made = new_keys(tmp_path / "keys", passphrase="pässwörd 模型")
    assert made.private.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert check_private(made.private, passphrase="pässwörd 模型") == made.fingerprint
    folder = write_bundle(tmp_path / "bundle")
    with pytest.raises(UsageError, match="is encrypted: it needs its passphrase"):
        sign_again(folder, made.private)
    with pytest.raises(UsageError, match="the passphrase does not open"):
        sign_again(folder, made.private, passphrase="wrong")
    assert not (folder / "signature").exists()
    sign_again(folder, made.private, passphrase="pässwörd 模型")
    assert verify(folder, key=made.public).ok


def test_a_passphrase_for_a_key_without_one_is_refused(tmp_path: Path) -> None:
    made = new_keys(tmp_path, passphrase=None)
    with pytest.raises(UsageError, match="has no passphrase"):
        check_private(made.private, passphrase="x")
    with pytest.raises(UsageError, match="is empty"):
        new_keys(tmp_path, name="other", passphrase="")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o610])
def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    made = new_keys(tmp_path, passphrase=None)
    made.private.chmod(mode)
    with pytest.raises(UsageError, match=f"mode {mode:04o}") as caught:
        check_private(made.private)
    assert caught.value.hint == f"chmod 600 {made.private}"


def test_the_two_halves_are_not_taken_for_each_other(tmp_path: Path) -> None:
    made = new_keys(tmp_path, passphrase=None)
    with pytest.raises(UsageError, match="is a public key"):
        check_private(made.public)
    with pytest.raises(UsageError, match="is a private key"):
        fingerprint(made.private)


def test_other_sorts_of_keys_are_refused(tmp_path: Path) -> None:
    for number, (key, told) in enumerate(
        (
            (rsa.generate_private_key(65537, 2048), "another sort of key: keys of P-256, P-384 and P-521"),
            (ed25519.Ed25519PrivateKey.generate(), "another sort of key"),
            (ec.generate_private_key(ec.SECP256K1()), "is of the curve secp256k1"),
        )
    ):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(UsageError, match=told):
            check_private(written(tmp_path / f"{number}.key", pem))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(UsageError, match=told):
            fingerprint(written(tmp_path / f"{number}.pub", public))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_the_other_curves_of_the_library_sign_too(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    private = written(
        tmp_path / "k.key", key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    public = written(tmp_path / "k.pub", key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    folder = write_bundle(tmp_path / "bundle")
    sign_again(folder, private)
    assert verify(folder, key=public).ok


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"\xff" * 100, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"x" * 100_000],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "k", content)
    with pytest.raises(UsageError):
        check_private(path)
    with pytest.raises(UsageError):
        fingerprint(path)


@pytest.mark.parametrize("place", ["absent", "folder", "pipe", "loop"])
def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "k"
    if place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    elif place == "loop":
        path.symlink_to(path)
    with pytest.raises(UsageError, match="the key"):
        check_private(path)


def test_openssl_reads_the_pair(tmp_path: Path) -> None:
    made = new_keys(tmp_path, passphrase="secret")
    ran = subprocess.run(
        ["openssl", "pkey", "-in", made.private, "-passin", "pass:secret", "-pubout"], capture_output=True, check=False
    )
    assert ran.stdout == made.public.read_bytes()
