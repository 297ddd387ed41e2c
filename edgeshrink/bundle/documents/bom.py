"""`bom.cdx.json`: the bill of materials of the artifact, CycloneDX 1.6 (ECMA-424, first edition), with a model card.

The model is the BOM's component, what it was compressed from its ancestor; the texts or samples that it was
calibrated and judged on are data components, what it was made and measured with are libraries.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from edgeshrink.bundle.documents.model_card import model_card
from edgeshrink.bundle.documents.provenance import libraries
from edgeshrink.bundle.documents.purls import library_purl, model_purl
from edgeshrink.core.bundle import Engine, LicenceNote
from edgeshrink.core.lock import Lock
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.plain import plain
from edgeshrink.core.report import Report
from edgeshrink.errors import DataError
from edgeshrink.runtimes.packages import missing

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

_MODEL_REF: Final = "model"
_SERIALS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:edgeshrink:bom")


def write_bom(
    report: Report,
    artifact: Sequence[ManifestFile],
    versions: Mapping[str, str],
    engine: Engine,
    licences: Sequence[LicenceNote],
    *,
    lock: Lock | None = None,
) -> bytes:
    """The BOM of the files of `artifact`, as they are named in the bundle. Equal inputs give equal bytes.

    ToolMissing where CycloneDX's library is not installed (with its extra json-validation); DataError where the result
    breaks the schema's strict form.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ImportError as error:
        raise missing("bundle", f"cyclonedx-python-lib cannot be loaded: {error}") from error
    model = _model(report, artifact, licences)
    data = _data(report, lock)
    software = _software(libraries(versions, lock), engine, licences)
    maker = Component(
        name="edgeshrink", version=report.version, type=ComponentType.APPLICATION, bom_ref="edgeshrink (maker)"
    )
    metadata = BomMetaData(component=model, timestamp=datetime.fromisoformat(report.created_at))
    metadata.tools.components.add(maker)
    bom = Bom(
        metadata=metadata,
        components=[*data, *software],
        serial_number=uuid.uuid5(_SERIALS, report.artifact.sha256),
    )
    bom.register_dependency(model, [*data, *software])
    written = json.loads(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    written["metadata"]["component"]["modelCard"] = model_card(report, [str(part.bom_ref) for part in data])
    written = {key: written[key] for key in ("$schema", "bomFormat", "specVersion")} | written
    text = json.dumps(written, indent=1, ensure_ascii=False) + "\n"
    check_bom(text)
    return text.encode()


def check_bom(text: str) -> None:
    """DataError where `text` is no BOM by the schema of CycloneDX 1.6, unknown keys included."""
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except MissingOptionalDependencyException as error:
        raise missing("bundle", f"the BOM cannot be checked: {error}") from error
    if wrong is not None:
        found = wrong.data
        where = "/".join(str(part) for part in getattr(found, "absolute_path", ())) or "the whole file"
        raise DataError(f"this is no CycloneDX BOM: at {where}: {str(found).splitlines()[0][:200]}")


def _model(report: Report, artifact: Sequence[ManifestFile], licences: Sequence[LicenceNote]) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    one = artifact[0] if len(artifact) == 1 else None
    inside = [
        Component(
            name=file.name,
            type=ComponentType.FILE,
            bom_ref=f"file:{file.name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
        )
        for file in artifact
    ]
    ancestors = [] if report.source is None else [_ancestor(report)]
    return Component(
        name=report.artifact.file,
        version=report.artifact.sha256[:12],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=_MODEL_REF,
        description=f"{report.artifact.scheme} {report.artifact.format} for {report.profile_name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.sha256)] if one else [],
        licenses=_licences(next((note.id for note in licences if note.part == "model"), "")),
        pedigree=Pedigree(ancestors=ancestors, notes=report.compression.method if report.compression else None),
        components=inside,
        properties=[Property(name="edgeshrink:artifact_sha256", value=report.artifact.sha256)],
    )


def _ancestor(report: Report) -> Component:
    """The source model; its digest is one over the digests of its files, which CycloneDX has no name for."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    source = report.source
    assert source is not None
    purl = PackageURL.from_string(model_purl(source.hub_id, source.revision)) if source.hub_id else None
    return Component(
        name=source.hub_id or source.given,
        version=source.revision,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="source model",
        purl=purl,
        licenses=_licences(plain(source.license or "").strip()),
        properties=[Property(name="edgeshrink:dirHash", value=source.digest)],
    )


def _data(report: Report, lock: Lock | None) -> list[Component]:
    """What the model was calibrated and judged on, each once."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    found: dict[str, tuple[str, str]] = {}
    done, quality = report.compression, report.quality
    if done is not None and done.calibration_sha256:
        found["data:calibration"] = (done.calibration_text, done.calibration_sha256)
    if quality is not None:
        name, digest = getattr(quality, "text", ""), getattr(quality, "text_sha256", "")
        found["data:evaluation"] = (name or getattr(quality, "data", ""), digest or getattr(quality, "data_sha256", ""))
    if lock is not None and "importance matrix" in lock.data:
        found["data:importance matrix"] = ("importance matrix", lock.data["importance matrix"])
    return [
        Component(
            name=name or ref.removeprefix("data:"),
            type=ComponentType.DATA,
            bom_ref=ref,
            description=f"used for {ref.removeprefix('data:')}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        )
        for ref, (name, digest) in found.items()
        if digest
    ]


def _software(versions: Mapping[str, str], engine: Engine, licences: Sequence[LicenceNote]) -> list[Component]:
    """What opens the model is required; what it was made with alone is not."""
    from cyclonedx.model.component import Component, ComponentScope, ComponentType
    from packageurl import PackageURL

    ids = {note.name: note.id for note in licences if note.part == "runtime"}
    needed = {name: versions.get(name, "") for name in ids} | {engine.package: engine.version}
    inside = f"as in {engine.package} {engine.version}"
    return [
        Component(
            name=name,
            version=version or None,
            type=ComponentType.LIBRARY,
            bom_ref=f"library:{name}",
            description=inside if name == engine.project != engine.package else None,
            scope=ComponentScope.REQUIRED if name in needed else ComponentScope.EXCLUDED,
            purl=PackageURL.from_string(library_purl(name, version)) if version else None,
            licenses=_licences(ids.get(name, "")),
        )
        for name, version in sorted({**versions, **needed}.items())
    ]


def _licences(stated: str) -> list[License]:
    """As an SPDX id or expression where it is one, else by the name that the source gives it."""
    from cyclonedx.contrib.license.factories import LicenseFactory

    return [LicenseFactory().make_from_string(stated)] if stated else []
