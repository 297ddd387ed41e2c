"""`provenance.json`: what the artifact was made from, how, and by what, as SLSA says it.

An in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) with the predicate
https://slsa.dev/provenance/v1. It says what the builder recorded, and the bundle's signature covers it; no build
service that its user could not have tampered with stands behind it, so it claims SLSA Build L1 and no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from edgeshrink.bundle.documents.purls import library_purl, model_purl
from edgeshrink.core.lock import Lock, LockedRequest
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.report import Report, StepRecord
from edgeshrink.errors import DataError
from edgeshrink.runtimes.packages import missing

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:edgeshrink:build:v1"
"""externalParameters are those of `edgeshrink build`, by the names of edgeshrink.lock's `request` and `model`;
internalParameters.steps are the steps that the build stands on."""
_OWN = ("edgeshrink", "python")

Json = dict[str, Any]


def write_provenance(
    report: Report,
    artifact: Sequence[ManifestFile],
    versions: Mapping[str, str],
    lock: Lock | None,
    *,
    byproducts: Sequence[ManifestFile] = (),
) -> bytes:
    """The statement about the files of `artifact`, as they are named in the bundle. Equal inputs give equal bytes.

    `versions`: of everything that can have had a hand in it; those that had are in the `lock`. Without one, the
    request is what the report tells of it. `byproducts`: other files of the build, as they are named in the bundle.
    ToolMissing where in-toto's library is not installed, DataError where it refuses the statement.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _named(artifact),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": _asked(report, lock),
                "internalParameters": {"steps": [_step(step) for step in report.steps]},
                "resolvedDependencies": list(_dependencies(report, versions, lock)),
            },
            "runDetails": {
                "builder": {
                    "id": library_purl("edgeshrink", report.version),
                    "version": {name: versions[name] for name in _OWN if name in versions},
                },
                "metadata": {
                    "invocationId": _invocation(report),
                    "startedOn": _started(report),
                    "finishedOn": _time(datetime.fromisoformat(report.created_at)),
                },
                "byproducts": _named(byproducts),
            },
        },
    }
    text = json.dumps(statement, indent=1, ensure_ascii=False) + "\n"
    check_statement(text)
    return text.encode()


def check_statement(text: str) -> None:
    """DataError where in-toto's own library, or SLSA's message in it, does not take the statement."""
    try:
        from google.protobuf.json_format import Parse, ParseError
        from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
        from in_toto_attestation.v1 import statement, statement_pb2
    except ImportError as error:
        raise missing("bundle", f"in-toto-attestation cannot be loaded: {error}") from error
    try:
        read = Parse(text, statement_pb2.Statement())
        statement.Statement.copy_from_pb(read).validate()
        Parse(json.dumps(json.loads(text)["predicate"]), provenance_pb2.Provenance())
    except (ParseError, ValueError, KeyError) as error:
        raise DataError(f"this is no provenance: {error}", hint="build and bundle it again") from error


def _named(files: Iterable[ManifestFile]) -> list[Json]:
    in_order = sorted(files, key=lambda file: file.name)
    return [{"name": file.name, "digest": {"sha256": file.sha256}} for file in in_order]


def _asked(report: Report, lock: Lock | None) -> Json:
    """Paths are named by their last part in a lock already."""
    model = report.source.given if report.source else ""
    if lock is not None:
        return {"model": lock.model.given or model, **_request(lock.request)}
    return {
        "model": model,
        "target": report.target,
        "profile": report.profile,
        "format": report.artifact.format,
        "scheme": report.artifact.scheme,
        "context": report.context,
    }


def _request(request: LockedRequest) -> Json:
    return {
        "target": request.target,
        "profile": request.profile,
        "format": request.format,
        "scheme": request.scheme,
        "delegate": request.delegate,
        "context": request.context,
        "imatrix": request.imatrix,
        "tensor_types": [list(pair) for pair in request.tensor_types],
        **({} if request.expert_types == "mix" else {"expert_types": request.expert_types}),
        "calibration": request.calibration,
    }


def _dependencies(report: Report, versions: Mapping[str, str], lock: Lock | None) -> Iterator[Json]:
    """The model, the data, the definitions of target and device, the libraries."""
    if report.source is not None:
        yield _model(report)
    for name, digest in sorted(_data(report, lock).items()):
        yield {"name": name, "digest": {"sha256": digest}}
    for name, digest in sorted((lock.definitions if lock else {}).items()):
        yield {"name": name, "digest": {"sha256": digest}}
    for name, version in sorted(libraries(versions, lock).items()):
        if name != "edgeshrink":
            yield {"name": name, "uri": library_purl(name, version)}


def libraries(versions: Mapping[str, str], lock: Lock | None) -> dict[str, str]:
    """Those that had a hand in the artifact, as the lock lists them (where Python has its minor version alone)."""
    return dict(versions) if lock is None else {name: versions.get(name, at) for name, at in lock.versions.items()}


def _model(report: Report) -> Json:
    """Its digest is one over the digests of its files: Go's Hash1, which in-toto calls dirHash."""
    source = report.source
    assert source is not None
    digest = {"dirHash": source.digest}
    if source.hub_id is None:
        return {"name": source.given, "digest": digest}
    if source.revision:
        digest["gitCommit"] = source.revision
    return {"name": source.hub_id, "uri": model_purl(source.hub_id, source.revision), "digest": digest}


def _data(report: Report, lock: Lock | None) -> dict[str, str]:
    if lock is not None:
        return dict(lock.data)
    done = report.compression
    return {"calibration": done.calibration_sha256} if done and done.calibration_sha256 else {}


def _step(step: StepRecord) -> Json:
    return {"id": step.id, "key": step.key, "made_at": step.made_at, "seconds": step.seconds}


def _invocation(report: Report) -> str:
    """The same for the same build: a step's key is a digest of all that its result depends on."""
    return report.steps[-1].key if report.steps else report.artifact.sha256


def _started(report: Report) -> str:
    """When the oldest step began that the build stands on: results are kept, and used again on another day."""
    begun = [datetime.fromisoformat(step.made_at) - timedelta(seconds=step.seconds) for step in report.steps]
    return _time(min(begun, default=datetime.fromisoformat(report.created_at)))


def _time(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, ending in Z as SLSA asks for."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
