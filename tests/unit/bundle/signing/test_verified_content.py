"""A well-signed bundle whose files contradict each other is not as it should be."""

from __future__ import annotations

import hashlib
import json

import pytest
from signed_bundles import Json, SignedBundle, findings, named, resign, sign_again

from edgeshrink.bundle.cargo import write_file
from edgeshrink.bundle.signing.names import CLAIMS_NAME
from edgeshrink.core.signature import Finding


def signed_anew(bundle: SignedBundle, name: str, content: bytes) -> tuple[Finding, ...]:
    write_file(bundle.folder / name, content)
    sign_again(bundle.folder, bundle.key)
    return findings(bundle)


def edited(bundle: SignedBundle, file: str, **changes: object) -> bytes:
    return json.dumps({**json.loads((bundle.folder / file).read_bytes()), **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        ({"artifact_sha256": "0" * 64}, "model/tiny.gguf", "is not the artifact that bundle.json names"),
        ({"artifact_bytes": 1}, "model/tiny.gguf", "is not the artifact that bundle.json names"),
        ({"main": "model/other.gguf"}, "model/other.gguf", "is not the artifact that bundle.json names"),
        ({"report_sha256": "0" * 64}, "report.json", "is not the report that bundle.json names"),
        ({"schema": "edgeshrink-bundle-9"}, "bundle.json", "is not what a bundle has: at schema"),
        ({"name": "../evil"}, "bundle.json", "is not what a bundle has: at name"),
        (
            {"files": [{"name": "gone.txt", "sha256": "0" * 64, "bytes": 1}]},
            "gone.txt",
            "is listed in bundle.json, and not there",
        ),
        (
            {"files": [{"name": "README.md", "sha256": "0" * 64, "bytes": 7}]},
            "README.md",
            "is not the file that bundle.json lists",
        ),
        ({"files": [{"name": "../x", "sha256": "0" * 64, "bytes": 1}]}, "bundle.json", "is not what a bundle has"),
    ],
)
def test_a_signed_bundle_that_contradicts_itself_is_not_as_it_should_be(
    bundle: SignedBundle, changes: Json, name: str, told: str
) -> None:
    (finding,) = signed_anew(bundle, "bundle.json", edited(bundle, "bundle.json", **changes))
    assert (finding.kind, finding.name) == ("content", name)
    assert told in finding.detail


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ([{"name": "model/tiny.gguf", "digest": {"sha256": "0" * 64}}], "is about another model/tiny.gguf"),
        ([{"name": "x\x1b[2J", "digest": {"sha256": "0" * 64}}], "is about x�[2J, which is not in the bundle"),
        ([], "is about no file"),
        ([1], "is no in-toto statement that can be read"),
        ([{"name": ["a"], "digest": {"sha256": ""}}], "is no in-toto statement that can be read"),
    ],
)
def test_a_provenance_of_something_else_is_found(bundle: SignedBundle, subject: object, told: str) -> None:
    (finding,) = signed_anew(bundle, "provenance.json", edited(bundle, "provenance.json", subject=subject))
    assert finding == Finding("content", "provenance.json", told)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"{"])
def test_a_provenance_that_does_not_read_is_found(bundle: SignedBundle, content: bytes) -> None:
    (finding,) = signed_anew(bundle, "provenance.json", content)
    assert (finding.kind, finding.name) == ("content", "provenance.json")


def test_a_folder_as_the_artifact_has_one_digest_over_its_files(bundle: SignedBundle) -> None:
    contents = {"a.onnx": b"graph", "b/weights.data": b"weights"}
    lines = "".join(f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n" for name in sorted(contents))
    for name, content in contents.items():
        write_file(bundle.folder / "model" / "x-onnx" / name, content)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    changes: Json = {"main": "model/x-onnx", "artifact_sha256": digest, "artifact_bytes": 12}
    assert signed_anew(bundle, "bundle.json", edited(bundle, "bundle.json", **changes)) == ()


@pytest.mark.parametrize(
    "changes", [{"payload_sha256": "0" * 64}, {"signed_at": "yesterday"}, {"signed_at": "2026-01-01"}]
)
def test_signed_claims_that_cannot_be_true_are_found(bundle: SignedBundle, changes: Json) -> None:
    content = edited(bundle, CLAIMS_NAME, **changes)
    (bundle.folder / CLAIMS_NAME).write_bytes(content)
    resource = {"name": CLAIMS_NAME, "algorithm": "sha256", "digest": hashlib.sha256(content).hexdigest()}

    def replace(statement: Json) -> None:
        resources = statement["predicate"]["resources"]
        resources[[item["name"] for item in resources].index(CLAIMS_NAME)] = resource
        digests = b"".join(bytes.fromhex(item["digest"]) for item in resources)
        statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(digests).hexdigest()

    resign(bundle, replace)
    assert named(bundle) == [("content", CLAIMS_NAME)]
