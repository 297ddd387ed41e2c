"""What is not as it was signed is named; what is no signature is refused; nothing hostile is followed or believed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_signing import hashing, signing
from signed_bundles import Json, SignedBundle, findings, named, resign, rewrite, sign_again, signed_bundle

from edgeshrink.bundle.signing import walking
from edgeshrink.bundle.signing.keys import new_keys
from edgeshrink.bundle.signing.names import CLAIMS_NAME, SIGNATURE_NAME
from edgeshrink.bundle.signing.verify import verify
from edgeshrink.errors import DataError, UsageError


def refusal(bundle: SignedBundle) -> str:
    """Of the signature itself."""
    found = verify(bundle.folder, key=bundle.public)
    assert found.claims is None
    assert [(finding.kind, finding.name) for finding in found.findings] == [("signature", SIGNATURE_NAME)]
    return found.findings[0].detail


def test_each_difference_has_its_name(bundle: SignedBundle) -> None:
    folder = bundle.folder
    (folder / "README.md").write_text("# another\n")
    (folder / "report.json").unlink()
    (folder / "model" / "tiny.gguf").rename(folder / "model" / "Tiny.GGUF")
    (folder / "python" / "empty.py").unlink()
    (folder / "python" / "empty.py").symlink_to("/etc/passwd")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("[core]\n")
    (folder / "nothing" / "here").mkdir(parents=True)
    (folder / "signature" / "extra").write_text("")
    os.mkfifo(folder / "pipe")
    (folder / "licenses" / "Model").mkdir()
    (folder / "licenses" / "Model" / "LICENSE").write_text("another licence\n")
    assert {(f.kind, f.name): f.detail for f in findings(bundle)} == {
        ("changed", "README.md"): "its bytes are not those that were signed",
        ("missing", "report.json"): "was signed, and is not there",
        ("renamed", "model/Tiny.GGUF"): "renamed from model/tiny.gguf",
        ("link", "python/empty.py"): "is a link to /etc/passwd",
        ("added", ".git/config"): "was not signed",
        ("added", "nothing/here"): "is an empty folder",
        ("added", "signature/extra"): "was not signed",
        ("added", "licenses/Model/LICENSE"): "was not signed",
        ("special", "pipe"): "is a named pipe",
        ("clash", "licenses/model"): "is the same name as Model elsewhere",
    }


def test_the_claims_of_a_good_signature_are_told_beside_what_changed(bundle: SignedBundle) -> None:
    (bundle.folder / "README.md").write_text("# another\n")
    found = verify(bundle.folder, key=bundle.public)
    assert not found.ok
    assert found.claims == bundle.claims
    assert found.bundle is None


def test_edited_claims_are_not_believed(bundle: SignedBundle) -> None:
    path = bundle.folder / CLAIMS_NAME
    path.write_text(path.read_text().replace("the tests", "somebody"))
    found = verify(bundle.folder, key=bundle.public)
    assert found.claims is None
    assert [(f.kind, f.name) for f in found.findings] == [("changed", CLAIMS_NAME)]


def test_another_key_is_said_by_its_fingerprint(bundle: SignedBundle, tmp_path: Path) -> None:
    mallory = new_keys(tmp_path / "mallory", passphrase=None)
    (bundle.folder / "README.md").write_text("# mine now\n")
    sign_again(bundle.folder, mallory.private)
    assert mallory.fingerprint[:16] in refusal(bundle)
    assert verify(bundle.folder, key=mallory.public).ok


def test_a_forged_hint_is_no_signature(bundle: SignedBundle, tmp_path: Path) -> None:
    right = verify(bundle.folder, key=bundle.public).key
    mallory = new_keys(tmp_path / "mallory", passphrase=None)
    sign_again(bundle.folder, mallory.private)
    rewrite(bundle, lambda outer: outer["verificationMaterial"]["publicKey"].update(hint=right))
    assert "is forged" in refusal(bundle)


def test_a_signature_of_another_bundle_does_not_fit(bundle: SignedBundle, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(bundle.folder, other)
    (other / "README.md").write_text("# another\n")
    sign_again(other, bundle.key)
    shutil.copyfile(other / SIGNATURE_NAME, bundle.folder / SIGNATURE_NAME)
    assert named(bundle) == [("changed", "README.md"), ("changed", CLAIMS_NAME)]


@pytest.mark.parametrize(
    "change",
    [
        lambda outer: outer["verificationMaterial"]["publicKey"].pop("hint"),
        lambda outer: outer["verificationMaterial"]["publicKey"].update(hint=None),
        lambda outer: outer["verificationMaterial"].update(tlogEntries=[{}]),
        lambda outer: outer["verificationMaterial"].pop("publicKey"),
        lambda outer: outer.update(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        lambda outer: outer.update(more=1),
        lambda outer: outer["dsseEnvelope"].update(payloadType="text/plain"),
        lambda outer: outer["dsseEnvelope"].update(payload=outer["dsseEnvelope"]["payload"] + "\n"),
        lambda outer: outer["dsseEnvelope"].update(payload=1),
        lambda outer: outer["dsseEnvelope"].update(payload="é"),
        lambda outer: outer["dsseEnvelope"].update(signatures=[]),
        lambda outer: outer["dsseEnvelope"]["signatures"].append(outer["dsseEnvelope"]["signatures"][0]),
        lambda outer: outer["dsseEnvelope"]["signatures"][0].update(keyid="1"),
        lambda outer: outer["dsseEnvelope"]["signatures"][0].update(sig=""),
    ],
)
def test_a_signature_of_another_shape_is_refused_and_the_library_says_nothing(
    bundle: SignedBundle, change: Callable[[Json], object], capfd: pytest.CaptureFixture[str]
) -> None:
    rewrite(bundle, change)
    assert refusal(bundle)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no JSON"),
        (b"not json", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "fields"),
        (b"null", "fields"),
        (b'{"mediaType":1,"mediaType":2}', "twice"),
        (b'{"mediaType":"\\ud800","verificationMaterial":{},"dsseEnvelope":{}}', "changed"),
        (b"1" * 5000, "no JSON"),
    ],
)
def test_what_is_no_signature_is_said(bundle: SignedBundle, content: bytes, told: str) -> None:
    (bundle.folder / SIGNATURE_NAME).write_bytes(content)
    assert told in refusal(bundle)


@pytest.mark.parametrize("place", ["absent", "folder gone", "pipe", "folder", "link", "huge"])
def test_a_signature_file_that_is_none_is_never_waited_for_or_followed(bundle: SignedBundle, place: str) -> None:
    path = bundle.folder / SIGNATURE_NAME
    copy = path.rename(bundle.folder.parent / "outside.sig")
    told = "is missing"
    if place == "folder gone":
        shutil.rmtree(path.parent)
    elif place == "pipe":
        os.mkfifo(path)
        told = "is no file"
    elif place == "folder":
        path.mkdir()
        told = ""
    elif place == "link":
        path.symlink_to(copy)
        told = "cannot be read"
    elif place == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
        told = "is larger than"
    assert told in refusal(bundle)


def test_no_signature_is_looked_for_behind_a_link(bundle: SignedBundle) -> None:
    (bundle.folder / "signature").rename(bundle.folder.parent / "elsewhere")
    (bundle.folder / "signature").symlink_to(bundle.folder.parent / "elsewhere")
    assert named(bundle) == [("link", "signature")]


def _statement(change: Callable[[Json, list[Json]], object]) -> Callable[[Json], object]:
    return lambda statement: change(statement["predicate"], statement["predicate"]["resources"])


@pytest.mark.parametrize(
    "change",
    [
        _statement(lambda predicate, _: predicate["serialization"]["ignore_paths"].append(".git")),
        _statement(lambda predicate, _: predicate["serialization"].pop("ignore_paths")),
        _statement(lambda predicate, _: predicate["serialization"].update(allow_symlinks=True)),
        _statement(lambda predicate, _: predicate["serialization"].update(hash_type="blake3")),
        _statement(lambda predicate, _: predicate["serialization"].update(method="shards", shard_size=1)),
        _statement(lambda predicate, _: predicate.update(more=1)),
        _statement(lambda predicate, _: predicate.update(resources={})),
        _statement(lambda _, resources: resources.append({**resources[0], "digest": "0" * 64})),
        _statement(lambda _, resources: resources.append({**resources[0], "name": "./" + resources[0]["name"]})),
        _statement(lambda _, resources: resources[0].update(algorithm="blake3")),
        _statement(lambda _, resources: resources[0].update(digest="abc")),
        _statement(lambda _, resources: resources[0].update(name=1)),
        lambda statement: statement.update(predicateType="https://model_signing/Digests/v0.1"),
        lambda statement: statement.update(_type="another"),
        lambda statement: statement.update(subject=[]),
        lambda statement: b'{"_type":1,"_type":2}',
        lambda statement: b"[" * 100_000,
    ],
)
def test_a_well_signed_statement_of_another_kind_is_refused(
    bundle: SignedBundle, change: Callable[[Json], object]
) -> None:
    resign(bundle, change)
    assert refusal(bundle)


def test_a_statement_is_resigned_well_by_these_tests(bundle: SignedBundle) -> None:
    resign(bundle, lambda statement: None)
    assert verify(bundle.folder, key=bundle.public).ok


@pytest.mark.parametrize("symlinks", [False, True])
def test_a_bundle_that_the_library_signed_by_its_defaults_is_refused(bundle: SignedBundle, symlinks: bool) -> None:
    """They leave out git's files."""
    config = hashing.Config().set_ignored_paths(paths=[SIGNATURE_NAME]).set_allow_symlinks(symlinks)
    signer = signing.Config().use_elliptic_key_signer(private_key=bundle.key).set_hashing_config(config)
    signer.sign(bundle.folder, bundle.folder / SIGNATURE_NAME)
    assert "leaves files out" in refusal(bundle)


def test_hostile_names_are_made_plain(bundle: SignedBundle) -> None:
    for name in (b"line\nbreak", b"\x1b[2Jclear", b"\xff\xfe", "\u202egpj.exe".encode()):
        Path(os.fsdecode(os.fsencode(bundle.folder) + b"/" + name)).write_bytes(b"x")
    (bundle.folder / "link").symlink_to("\x1b[2J" + "x" * 4000)
    found = {finding.name: finding for finding in findings(bundle)}
    assert set(found) == {"line break", "�[2Jclear", "��", "�gpj.exe", "link"}
    assert found["link"].detail.startswith("is a link to �[2Jxxx")
    assert len(found["link"].detail) < 250


@pytest.fixture
def somebody() -> Iterator[Path]:
    """A folder in which this process is not root, from whom nothing can be kept."""
    with tempfile.TemporaryDirectory(prefix="edgeshrink-test-", dir="/tmp") as place:
        root = os.geteuid() == 0
        if root:
            os.chown(place, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(place)
        finally:
            if root:
                os.seteuid(0)


def test_what_cannot_be_read_is_named(somebody: Path) -> None:
    made = signed_bundle(somebody)
    (made.folder / "README.md").chmod(0)
    (made.folder / "model").chmod(0)
    (made.folder / "more").mkdir(mode=0)
    found = {finding.name: finding for finding in findings(made)}
    for name in ("model", "more"):
        (made.folder / name).chmod(0o755)
    assert {name: (finding.kind, finding.detail) for name, finding in found.items()} == {
        "README.md": ("changed", "cannot be read: Permission denied"),
        "model": ("changed", "cannot be listed: Permission denied"),
        "more": ("added", "cannot be listed: Permission denied"),
    }


def test_folders_deeper_than_any_path_are_a_finding(bundle: SignedBundle) -> None:
    before = Path.cwd()
    os.chdir(bundle.folder)
    try:
        for _ in range(30):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        kinds = {finding.kind for finding in findings(bundle)}
    finally:
        os.chdir(before)
    assert kinds == {"added"}


def test_a_folder_of_more_files_than_anybody_signs_is_refused(
    bundle: SignedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "_MOST_ENTRIES", 10)
    with pytest.raises(DataError, match="holds more than 10 files"):
        verify(bundle.folder, key=bundle.public)


def test_names_that_are_one_name_elsewhere_clash(bundle: SignedBundle) -> None:
    for name in ("CAFÉ", "cafe\u0301", "straße", "STRASSE", "ﬁle", "file"):
        (bundle.folder / name).write_text("")
    clashes = [finding for finding in findings(bundle) if finding.kind == "clash"]
    assert len(clashes) == 3


@pytest.mark.parametrize("given", [{}, {"identity": "me@example.org"}, {"issuer": "https://example.org"}])
def test_verifying_needs_to_know_whose_it_should_be(bundle: SignedBundle, given: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="needs the public key"):
        verify(bundle.folder, **given)


def test_no_folder_is_no_finding(bundle: SignedBundle) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        verify(bundle.folder / "README.md", key=bundle.public)
