"""The bill of materials, checked against CycloneDX's published schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from unit.report.sample import sample_failed_report, sample_profile_report, sample_report
from unit.report.sample_device import sample_phone_report
from unit.report.sample_formats import sample_executorch_report, sample_network_report, sample_onnx_report

from edgeshrink.bundle.documents.bom import check_bom, write_bom
from edgeshrink.bundle.licences import licences_of
from edgeshrink.core.bundle import Engine
from edgeshrink.core.manifest import ManifestFile
from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured
from edgeshrink.core.report import Report
from edgeshrink.errors import DataError

LLAMA = Engine("llama_cpp", "llama.cpp", "llama-cpp-python", "0.3.36")
ONE = (ManifestFile("model/demo.gguf", "5e" * 32, 3),)
TWO = (ManifestFile("model/x-onnx/model.onnx", "aa" * 32, 1), ManifestFile("model/x-onnx/a.json", "bb" * 32, 1))
VERSIONS = {"edgeshrink": "0.1.0", "python": "3.11.7", "llama-cpp-python": "0.3.36", "torch": "2.13.0+cpu"}


def raw(report: Report, artifact: Sequence[ManifestFile] = ONE, engine: Engine = LLAMA) -> bytes:
    return write_bom(report, artifact, VERSIONS, engine, licences_of(report, engine, {}))


def written(report: Report, artifact: Sequence[ManifestFile] = ONE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raw(report, artifact))
    return found


def with_licence(license: str | None) -> Report:
    report = sample_report()
    assert report.source is not None
    return replace(report, source=replace(report.source, license=license))


def card(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = written(report)["metadata"]["component"]["modelCard"]
    return found


def metrics(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = card(report)["quantitativeAnalysis"]["performanceMetrics"]
    return found


@pytest.mark.parametrize(
    "report",
    [
        sample_report(),
        sample_profile_report(),
        sample_failed_report(),
        sample_phone_report(),
        sample_onnx_report(),
        sample_executorch_report(),
        sample_network_report(),
        with_licence(None),
        with_licence("llama3.1"),
        with_licence("Apache-2.0 OR MIT"),
        with_licence("Other, <see> our web page"),
    ],
    ids=["demo", "profile", "failed", "phone", "onnx", "pte", "network", "none", "llama", "either", "odd"],
)
@pytest.mark.parametrize("artifact", [ONE, TWO], ids=["file", "folder"])
def test_it_keeps_to_the_published_schema(report: Report, artifact: tuple[ManifestFile, ...]) -> None:
    text = raw(report, artifact).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = json.loads(text)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    component = found["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    inside = {part["name"]: part["hashes"][0]["content"] for part in component["components"]}
    assert inside == {file.name: file.sha256 for file in artifact}
    assert component["modelCard"]["properties"]


def test_equal_inputs_give_equal_bytes_and_no_clock_s_time() -> None:
    first = raw(sample_report())
    assert raw(sample_report()) == first
    found = json.loads(first)
    assert found["metadata"]["timestamp"].startswith("2026-11-21T12:00:00")
    other = sample_report()
    other = replace(other, artifact=replace(other.artifact, sha256="77" * 32))
    assert written(other)["serialNumber"] != found["serialNumber"]


def test_the_source_is_the_ancestor_and_data_and_libraries_are_what_it_depends_on() -> None:
    report = sample_report()
    assert report.source is not None
    hub = replace(report, source=replace(report.source, hub_id="Org/Tiny-1B", revision="ab" * 20))
    found = written(hub)
    (ancestor,) = found["metadata"]["component"]["pedigree"]["ancestors"]
    assert (ancestor["name"], ancestor["version"]) == ("Org/Tiny-1B", "ab" * 20)
    assert ancestor["purl"] == f"pkg:huggingface/Org/Tiny-1B@{'ab' * 20}"
    parts = {part["bom-ref"]: part for part in found["components"]}
    assert parts["data:calibration"]["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    assert parts["library:llama-cpp-python"]["purl"] == "pkg:pypi/llama-cpp-python@0.3.36"
    assert parts["library:llama-cpp-python"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert parts["library:llama.cpp"]["description"] == "as in llama-cpp-python 0.3.36"
    assert {ref: part.get("scope") for ref, part in parts.items() if ref.startswith("library:")} == {
        "library:edgeshrink": "required",
        "library:llama-cpp-python": "required",
        "library:llama.cpp": "required",
        "library:python": "excluded",
        "library:torch": "excluded",
    }
    (model,) = (entry for entry in found["dependencies"] if entry["ref"] == "model")
    assert set(model["dependsOn"]) == set(parts)


def test_licences_are_spdx_ids_where_they_are_some_and_names_where_not() -> None:
    def licence(stated: str | None) -> object:
        return written(with_licence(stated))["metadata"]["component"].get("licenses")

    assert licence("apache-2.0") == [{"license": {"id": "Apache-2.0"}}]
    assert licence("llama3.1") == [{"license": {"name": "llama3.1"}}]
    assert licence("Apache-2.0 OR MIT") == [{"expression": "Apache-2.0 OR MIT"}]
    assert licence(None) is None


def test_only_what_was_measured_is_a_metric_and_the_rest_is_told() -> None:
    report = sample_report()
    assert isinstance(report.quality, Quality)
    assert report.measurements is not None
    assert isinstance(report.measurements.decode_tok_s, Measured)
    found = {metric["type"]: metric for metric in metrics(report)}
    assert float(found["decode_tok_s"]["value"]) == report.measurements.decode_tok_s.value
    assert report.quality.text in found["mean_kl"]["slice"]
    assert "energy_mj_per_token" not in found
    told = card(report)["considerations"]["technicalLimitations"]
    assert any(line.startswith("energy_mj_per_token was not measured") for line in told)
    assert set(report.notes) <= set(told)
    assert card(report)["considerations"]["performanceTradeoffs"] == list(report.traded_away)


def test_a_spread_is_no_confidence_interval() -> None:
    report = sample_report()
    assert isinstance(report.quality, Quality)
    assert report.measurements is not None
    interval = Measured(0.5, 100, 0.25, 0.75, how="95 % interval, bootstrap")
    spread = Measured(12.5, 5, 10.0, 14.0, how="median of 5, low/high: min..max")
    known = replace(
        report,
        quality=replace(report.quality, mean_kl=interval),
        measurements=replace(report.measurements, load_warm_ms=spread),
    )
    found = {metric["type"]: metric for metric in metrics(known)}
    assert found["mean_kl"]["confidenceInterval"] == {"lowerBound": "0.25", "upperBound": "0.75"}
    assert "confidenceInterval" not in found["load_warm_ms"]
    assert found["load_warm_ms"]["value"] == "12.5"


def test_a_network_is_told_as_one() -> None:
    report = sample_network_report()
    parameters = card(report)["modelParameters"]
    assert "task" not in parameters
    assert report.measurements is not None
    assert [entry["format"] for entry in parameters["inputs"]] == [run.shapes for run in report.measurements.inference]
    types = {metric["type"] for metric in metrics(report)}
    assert {"cosine_mean", "inference_p50_ms"} <= types
    told = card(report)["considerations"]["technicalLimitations"]
    assert not any(line.startswith("decode_tok_s") for line in told)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bomFormat",), "Other"),
        (("metadata", "component", "modelCard", "modelParameters", "colour"), "red"),
        (("metadata", "component", "modelCard", "quantitativeAnalysis", "performanceMetrics"), [{"value": 0.5}]),
        (("serialNumber",), "1"),
        (("author",), "nobody"),
    ],
)
def test_what_breaks_the_schema_is_refused(path: tuple[str, ...], value: object) -> None:
    found = written(sample_report())
    place: Any = found
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(DataError, match="no CycloneDX BOM"):
        check_bom(json.dumps(found))
