"""The provenance of a bundle, read by in-toto's own library."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement, statement_pb2
from packageurl import PackageURL
from unit.report.sample import sample_profile_report, sample_report
from unit.report.sample_formats import sample_network_report, sample_onnx_report

from edgeshrink.bundle.documents.provenance import check_statement, write_provenance
from edgeshrink.core.lock import LOCK_SCHEMA, Lock, LockedModel, LockedRequest
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.report import Report
from edgeshrink.errors import DataError

MODEL = (ManifestFile("model/demo.gguf", "5e" * 32, 3),)
VERSIONS = {"edgeshrink": "0.1.0", "python": "3.11.7", "llama-cpp-python": "0.3.36", "torch": "2.13.0+cpu"}
LOCK = Lock(
    schema=LOCK_SCHEMA,
    model=LockedModel("Org/Tiny-1B", "Org/Tiny-1B", "AB" * 20, "ab" * 32),
    request=LockedRequest("jetson", "orin", "gguf", "Q4_K_M", "", 512, "default", (("blk.*", "Q8_0"),), "mine.txt"),
    data={"calibration": "cd" * 32, "evaluation text": "ef" * 32},
    definitions={"target jetson": "11" * 32, "profile orin": "22" * 32},
    versions={"edgeshrink": "0.1.0", "python": "3.11", "llama-cpp-python": "0.3.36"},
    artifact_sha256="5e" * 32,
    artifact_bytes=3,
)


def hub_report() -> Report:
    report = sample_report()
    assert report.source is not None
    return replace(report, source=replace(report.source, given="Org/Tiny-1B", hub_id="Org/Tiny-1B", revision="ab" * 20))


def written(report: Report, lock: Lock | None = LOCK, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(write_provenance(report, MODEL, VERSIONS, lock, **more))
    return found


def dependencies(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {entry["name"]: entry for entry in listed}


@pytest.mark.parametrize(
    "report",
    [sample_report(), hub_report(), sample_profile_report(), sample_network_report(), sample_onnx_report()],
    ids=["folder", "hub", "no source", "network", "onnx"],
)
@pytest.mark.parametrize("lock", [LOCK, None], ids=["locked", "unlocked"])
def test_the_library_of_in_toto_takes_the_statement(report: Report, lock: Lock | None) -> None:
    text = write_provenance(report, MODEL, VERSIONS, lock).decode()
    read = Parse(text, statement_pb2.Statement())
    statement.Statement.copy_from_pb(read).validate()
    predicate = Parse(json.dumps(json.loads(text)["predicate"]), provenance_pb2.Provenance())
    assert predicate.build_definition.build_type
    assert predicate.build_definition.external_parameters["target"]
    assert predicate.run_details.builder.id == "pkg:pypi/edgeshrink@0.1.0"
    began, ended = predicate.run_details.metadata.started_on, predicate.run_details.metadata.finished_on
    assert 0 < began.seconds <= ended.seconds


def test_every_file_of_the_artifact_is_a_subject() -> None:
    files = (ManifestFile("model/x-onnx/model.onnx", "aa" * 32, 1), ManifestFile("model/x-onnx/a.json", "bb" * 32, 1))
    found = json.loads(write_provenance(sample_onnx_report(), files, VERSIONS, LOCK))
    assert found["subject"] == [
        {"name": "model/x-onnx/a.json", "digest": {"sha256": "bb" * 32}},
        {"name": "model/x-onnx/model.onnx", "digest": {"sha256": "aa" * 32}},
    ]


def test_a_model_of_the_hub_is_named_by_its_commit() -> None:
    found = dependencies(written(hub_report()))["Org/Tiny-1B"]
    purl = PackageURL.from_string(found["uri"])
    assert (purl.type, purl.namespace, purl.name, purl.version) == ("huggingface", "Org", "Tiny-1B", "ab" * 20)
    assert found["digest"] == {"dirHash": "ab" * 32, "gitCommit": "ab" * 20}


def test_a_model_from_a_folder_is_named_by_its_digest_alone() -> None:
    assert dependencies(written(sample_report()))["edgeshrink/_demo"] == {
        "name": "edgeshrink/_demo",
        "digest": {"dirHash": "ab" * 32},
    }


def test_data_definitions_and_the_libraries_that_had_a_hand_in_it_are_dependencies() -> None:
    found = dependencies(written(hub_report()))
    assert found["calibration"]["digest"] == {"sha256": "cd" * 32}
    assert found["target jetson"]["digest"] == {"sha256": "11" * 32}
    assert found["profile orin"]["digest"] == {"sha256": "22" * 32}
    assert found["llama-cpp-python"]["uri"] == "pkg:pypi/llama-cpp-python@0.3.36"
    assert found["python"]["uri"] == "pkg:generic/python@3.11.7"
    assert "torch" not in found
    unlocked = dependencies(written(hub_report(), None))
    assert PackageURL.from_string(unlocked["torch"]["uri"]).version == "2.13.0+cpu"


def test_what_was_asked_for_is_what_the_lock_says() -> None:
    asked = written(hub_report())["predicate"]["buildDefinition"]["externalParameters"]
    assert asked == {
        "model": "Org/Tiny-1B",
        "target": "jetson",
        "profile": "orin",
        "format": "gguf",
        "scheme": "Q4_K_M",
        "delegate": "",
        "context": 512,
        "imatrix": "default",
        "tensor_types": [["blk.*", "Q8_0"]],
        "calibration": "mine.txt",
    }


def test_times_are_those_of_the_results_and_no_clock_s() -> None:
    first = write_provenance(hub_report(), MODEL, VERSIONS, LOCK)
    assert write_provenance(hub_report(), MODEL, dict(reversed(VERSIONS.items())), LOCK) == first
    metadata = json.loads(first)["predicate"]["runDetails"]["metadata"]
    assert metadata["startedOn"] == "2026-11-20T17:01:58Z"  # the oldest step was done at 17:02:11, and took 12.6 s
    assert metadata["finishedOn"] == "2026-11-21T12:00:00Z"


def test_other_files_of_the_build_are_byproducts() -> None:
    report = (ManifestFile("report.json", "77" * 32, 9),)
    found = written(hub_report(), byproducts=report)["predicate"]["runDetails"]["byproducts"]
    assert found == [{"name": "report.json", "digest": {"sha256": "77" * 32}}]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("subject",), []),
        (("_type",), "https://in-toto.io/Statement/v0.1"),
        (("predicateType",), ""),
        (("predicate", "runDetails", "metadata", "finishedOn"), "yesterday"),
        (("predicate", "runDetails", "author"), "nobody"),
        (("predicate", "buildDefinition", "resolvedDependencies"), "none"),
    ],
)
def test_a_statement_that_is_none_is_refused(path: tuple[str, ...], value: object) -> None:
    found = written(hub_report())
    place: Any = found
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(DataError, match="no provenance"):
        check_statement(json.dumps(found))
