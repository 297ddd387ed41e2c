"""Signing a folder or a file, and what the signing library's own program says of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from signed_bundles import SIGNED_AT, SignedBundle, sign_again, write_bundle

from edgeshrink.bundle.signing import sign as sign_module
from edgeshrink.bundle.signing.file_digests import sha256_of
from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.bundle.signing.names import CLAIMS_NAME, SIGNATURE_NAME
from edgeshrink.bundle.signing.sign import sign, sign_file, sign_keyless
from edgeshrink.bundle.signing.verify import verify, verify_file
from edgeshrink.bundle.signing.walking import walk
from edgeshrink.core.events import Progress, silent
from edgeshrink.errors import DataError, StepFailed, UsageError


def theirs(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The signing library's own command line."""
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def verified_by_them(bundle: SignedBundle, *options: str) -> subprocess.CompletedProcess[str]:
    signature = bundle.folder / SIGNATURE_NAME
    return theirs("verify", "key", bundle.folder, "--signature", signature, "--public_key", bundle.public, *options)


def test_a_bundle_is_as_it_was_signed_and_says_by_whom(bundle: SignedBundle) -> None:
    found = verify(bundle.folder, key=bundle.public)
    assert found.ok
    assert found.claims == bundle.claims
    assert found.claims.signer == "the tests"
    assert found.claims.signed_at == "2026-11-21T20:00:00+00:00"
    assert found.claims.tools == {"edgeshrink": "0.1.0", "model-signing": "1.1.1"}
    assert found.files == sum(path.is_file() for path in bundle.folder.rglob("*")) - 1
    assert found.bundle is not None
    assert found.bundle.name == "tiny"


def test_the_librarys_own_program_verifies_our_bundle_and_finds_what_we_find(bundle: SignedBundle) -> None:
    assert verified_by_them(bundle, "--no-ignore-git-paths").returncode == 0
    (bundle.folder / ".gitignore").write_text("*\n")
    assert verified_by_them(bundle, "--no-ignore-git-paths").returncode == 1
    assert [(f.kind, f.name) for f in verify(bundle.folder, key=bundle.public).findings] == [("added", ".gitignore")]


def test_a_bundle_that_the_librarys_own_program_signed_the_same_way_is_verified(tmp_path: Path) -> None:
    folder, keys = write_bundle(tmp_path / "bundle"), new_keys(tmp_path / "keys", passphrase=None)
    sign_again(folder, keys.private)  # for the claims
    signature = folder / SIGNATURE_NAME
    signature.unlink()
    signed = theirs(
        "sign", "key", folder, "--signature", signature, "--private_key", keys.private, "--no-ignore-git-paths"
    )
    assert signed.returncode == 0, signed.stderr
    assert verify(folder, key=keys.public).ok


def test_a_signed_file_is_verified_by_the_library_too(tmp_path: Path) -> None:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    patch, signature = tmp_path / "a.patch", tmp_path / "a.patch.sig"
    patch.write_bytes(b"a patch" * 1000)
    digest = hashlib.sha256(patch.read_bytes()).hexdigest()
    sign_file(patch, signature, key=keys.private, passphrase=None, sha256=digest)
    assert verify_file(patch, signature, key=keys.public).sha256 == digest
    assert verify_file(patch, signature, key=keys.public).nbytes == 7000
    assert theirs("verify", "key", patch, "--signature", signature, "--public_key", keys.public).returncode == 0
    patch.write_bytes(b"a patcH" * 1000)
    with pytest.raises(DataError, match="is not what was signed"):
        verify_file(patch, signature, key=keys.public)


def test_a_signature_of_a_file_is_none_of_a_folder_and_the_other_way_round(
    bundle: SignedBundle, tmp_path: Path
) -> None:
    single = tmp_path / "single"
    single.write_bytes(b"x")
    sign_file(single, tmp_path / "single.sig", key=bundle.key, passphrase=None)
    with pytest.raises(DataError, match="leaves files out, or hashes them otherwise"):
        verify_file(single, bundle.folder / SIGNATURE_NAME, key=bundle.public)
    shutil.copyfile(tmp_path / "single.sig", bundle.folder / SIGNATURE_NAME)
    (finding,) = verify(bundle.folder, key=bundle.public).findings
    assert finding.kind == "signature"


@pytest.mark.parametrize("broken", ["link", "absent", "pipe", "unsigned"])
def test_a_file_that_cannot_be_verified_is_an_error(tmp_path: Path, broken: str) -> None:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    patch, signature = tmp_path / "a.patch", tmp_path / "a.patch.sig"
    patch.write_bytes(b"a patch")
    sign_file(patch, signature, key=keys.private, passphrase=None)
    if broken == "unsigned":
        signature.unlink()
    else:
        patch.rename(tmp_path / "other")
    if broken == "link":
        patch.symlink_to(tmp_path / "other")
    if broken == "pipe":
        os.mkfifo(patch)
    with pytest.raises(DataError):
        verify_file(patch, signature, key=keys.public)


def test_what_is_signed_does_not_depend_on_folder_umask_or_time_zone(tmp_path: Path) -> None:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    claims = []
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            folder = write_bundle(tmp_path / f"bundle{number}")
            zone = timezone(timedelta(hours=9 * number))
            now = SIGNED_AT.astimezone(zone)
            sign(folder, key=keys.private, passphrase=None, signer="x", tools={}, now=now, subject="tiny")
        finally:
            os.umask(before)
        claims.append((folder / CLAIMS_NAME).read_bytes())
        for name in (SIGNATURE_NAME, CLAIMS_NAME):
            assert (folder / name).stat().st_mode & 0o777 == 0o644
        assert (folder / "signature").stat().st_mode & 0o777 == 0o755
    assert claims[0] == claims[1]


def test_digests_that_are_known_are_not_read_again(tmp_path: Path) -> None:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    folder = write_bundle(tmp_path / "bundle")
    known = {"model/tiny.gguf": "ab" * 32}
    now = datetime.fromisoformat("2026-11-21T20:00:00Z")
    sign(folder, key=keys.private, passphrase=None, signer="x", tools={}, now=now, known_sha256=known)
    assert [f.name for f in verify(folder, key=keys.public).findings] == ["model/tiny.gguf"]


def test_a_file_with_two_names_is_read_once(bundle: SignedBundle) -> None:
    large = bundle.folder / "model" / "large.bin"
    with large.open("wb") as file:
        file.truncate(65 << 20)
    (bundle.folder / "assets").mkdir()
    (bundle.folder / "assets" / "large.bin").hardlink_to(large)
    sign_again(bundle.folder, bundle.key)
    heard: list[Progress] = []
    assert verify(bundle.folder, key=bundle.public, listener=heard.append).ok
    assert {event.task for event in heard} == {"checking bundle"}
    assert heard[-1].done == heard[-1].total < (66 << 20)
    assert heard[-1].unit == "bytes"


def test_signing_again_replaces_the_signature_and_clears_what_a_killed_run_left(bundle: SignedBundle) -> None:
    for name in (".model.sig.half", ".claims.json.half"):
        (bundle.folder / "signature" / name).write_bytes(b"half")
    (bundle.folder / "README.md").write_text("# another\n")
    assert not verify(bundle.folder, key=bundle.public).ok
    claims = sign_again(bundle.folder, bundle.key)
    found = verify(bundle.folder, key=bundle.public)
    assert found.ok
    assert found.claims == claims != bundle.claims
    assert sorted(path.name for path in (bundle.folder / "signature").iterdir()) == ["claims.json", "model.sig"]


def test_a_signing_that_fails_leaves_the_signature_that_was_there(
    bundle: SignedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sign_module, "_by_key", lambda key, passphrase: fails)
    with pytest.raises(OSError, match="No space"):
        sign_again(bundle.folder, bundle.key)
    monkeypatch.undo()
    assert verify(bundle.folder, key=bundle.public).claims == bundle.claims


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (lambda f: (f / "link").symlink_to("README.md"), "link is a link to README.md"),
        (lambda f: os.mkfifo(f / "pipe"), "pipe is a named pipe"),
        (lambda f: (f / "readme.md").write_text(""), "is the same name as"),
        (lambda f: (f / "Model").mkdir(), "is the same name as"),
        (lambda f: (f / "empty" / "folder").mkdir(parents=True), "empty/folder is an empty folder"),
        (lambda f: (f / "line\nbreak").write_text(""), "is no name for every system"),
        (lambda f: (f / "back\\slash").write_text(""), "is no name for every system"),
        (lambda f: Path(os.fsdecode(os.fsencode(f) + b"/\xff")).write_text(""), "is no name for every system"),
    ],
)  # fmt: skip
def test_what_no_signature_covers_is_refused(tmp_path: Path, plant: object, told: str) -> None:
    keys = new_keys(tmp_path / "keys", passphrase=None)
    folder = write_bundle(tmp_path / "bundle")
    assert callable(plant)
    plant(folder)
    with pytest.raises(DataError, match="cannot be signed") as caught:
        sign_again(folder, keys.private)
    assert told in caught.value.message
    assert not (folder / "signature").exists()


def test_keyless_signing_offline_is_an_error_and_changes_nothing(
    bundle: SignedBundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(StepFailed, match="Sigstore made no signature"):
        sign_keyless(bundle.folder, signer="x", tools={}, now=SIGNED_AT)
    assert verify(bundle.folder, key=bundle.public).claims == bundle.claims
    with pytest.raises(UsageError, match="either of a key or of an identity"):
        verify(bundle.folder, key=bundle.public, identity="me@example.org", issuer="https://example.org")
    (finding,) = verify(bundle.folder, identity="me@example.org", issuer="https://example.org").findings
    assert finding.detail.startswith("was made by a key, not by an identity")


def test_the_statement_is_what_the_library_writes(bundle: SignedBundle) -> None:
    envelope = json.loads((bundle.folder / SIGNATURE_NAME).read_bytes())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"][0]["name"] == "tiny"
    assert statement["predicate"]["serialization"] == {
        "method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": [SIGNATURE_NAME],
    }  # fmt: skip
    names = [resource["name"] for resource in statement["predicate"]["resources"]]
    assert CLAIMS_NAME in names
    assert SIGNATURE_NAME not in names


def test_a_file_of_known_digest_is_read_by_none_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "again").hardlink_to(tmp_path / "model")
    digests, failures = sha256_of(walk(tmp_path).files, known={"model": "a" * 64}, task="", listener=silent)
    assert (digests, failures) == ({"model": "a" * 64, "again": "a" * 64}, {})
