from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest

from edgeshrink.core.quality import Quality
from edgeshrink.core.reading import Measured, Unmeasured
from edgeshrink.core.report import Report
from edgeshrink.errors import DataError
from edgeshrink.report.json import report_from_json, report_schema, report_to_json

from .sample import NO_POWER, sample_failed_report, sample_profile_report, sample_report
from .sample_formats import sample_apart_report, sample_executorch_report, sample_network_report


@pytest.mark.parametrize(
    "report",
    [
        sample_report(),
        sample_profile_report(),
        sample_failed_report(),
        sample_executorch_report(),
        sample_apart_report(),
        sample_network_report(),
    ],
)
def test_a_report_reads_back_as_it_was(report: Report) -> None:
    assert report_from_json(report_to_json(report)) == replace(report, folder=None)


def test_equal_reports_give_equal_bytes() -> None:
    assert report_to_json(sample_report()) == report_to_json(sample_report())
    again = report_from_json(report_to_json(sample_report()))
    assert report_to_json(again) == report_to_json(sample_report())


def test_a_whole_number_is_spelled_alike_as_int_and_as_float() -> None:
    report = sample_report()
    assert report.measurements is not None
    one, other = (
        replace(report, measurements=replace(report.measurements, decode_tok_s=Measured(value))) for value in (5, 5.0)
    )
    assert one == other
    assert report_to_json(one) == report_to_json(other)


def test_the_folder_may_move() -> None:
    assert "folder" not in json.loads(report_to_json(sample_report()))
    assert "edgeshrink-out" not in report_to_json(sample_report())


def test_an_unmeasured_reading_keeps_its_reason_and_is_no_number() -> None:
    energy = json.loads(report_to_json(sample_report()))["measurements"]["energy_mj_per_token"]
    assert energy == {"reason": NO_POWER, "kind": "unmeasured"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reading_that_is_not_finite_becomes_unmeasured(value: float) -> None:
    report = sample_report()
    assert isinstance(report.quality, Quality)
    broken = replace(report, quality=replace(report.quality, perplexity=Measured(value, 10, value, 3.0)))
    text = report_to_json(broken)
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    quality = report_from_json(text).quality
    assert isinstance(quality, Quality)
    assert isinstance(quality.perplexity, Unmeasured)
    assert "finite" in quality.perplexity.reason


def test_a_name_that_is_no_unicode_does_not_stop_the_report() -> None:
    report = sample_report()
    assert report.source is not None
    broken = replace(report, source=replace(report.source, given="m\udcff"))
    report_from_json(report_to_json(broken)).schema.encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.pop("artifact"), "artifact"),
        (lambda data: data["verdict"].update(outcome="MAYBE"), "verdict.outcome"),
        (lambda data: data.update(schema="edgeshrink-report-99"), "edgeshrink-report-99"),
    ],
)
def test_what_is_no_report_is_refused_with_the_key(change: object, said: str) -> None:
    data = json.loads(report_to_json(sample_report()))
    change(data)  # type: ignore[operator]
    with pytest.raises(DataError, match=said):
        report_from_json(json.dumps(data))


def test_a_report_of_another_version_is_told_so_and_not_by_its_first_missing_key() -> None:
    data = json.loads(report_to_json(sample_report()))
    data["schema"] = "edgeshrink-report-1"
    del data["measurements"]["memory"]["baseline_rss_bytes"]
    with pytest.raises(DataError, match=r"schema is 'edgeshrink-report-1', expected 'edgeshrink-report-5'"):
        report_from_json(json.dumps(data))


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(DataError, match="not a report"):
        report_from_json("{")


@pytest.mark.parametrize("report", [sample_report(), sample_executorch_report(), sample_network_report()])
def test_the_schema_describes_what_is_written(report: Report) -> None:
    schema = report_schema()
    data = json.loads(report_to_json(report))
    assert set(schema["properties"]) == set(data) == {field.name for field in fields(Report)} - {"folder"}
    assert set(schema["required"]) <= set(data)
    _follows(data, schema, schema["$defs"])


def _follows(value: object, schema: dict[str, object], defs: dict[str, dict[str, object]]) -> None:
    """A small reading of JSON Schema: references, properties and required keys, alternatives, arrays, basic types."""
    if "$ref" in schema:
        return _follows(value, defs[str(schema["$ref"]).rpartition("/")[2]], defs)
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list):
        failures = []
        for option in options:
            try:
                return _follows(value, option, defs)
            except AssertionError as error:
                failures.append(error)
        raise AssertionError(failures)
    if "const" in schema:
        assert value == schema["const"]
    if "enum" in schema:
        assert value in schema["enum"]  # type: ignore[operator]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if schema.get("type") == "null":
        assert value is None
    elif "type" in schema:
        assert isinstance(value, kinds[str(schema["type"])]), (value, schema)  # type: ignore[arg-type]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        assert isinstance(properties, dict)
        assert set(value) >= set(schema.get("required", ()))  # type: ignore[call-overload]
        for key, item in value.items():
            _follows(item, properties[key], defs)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _follows(item, schema["items"], defs)  # type: ignore[arg-type]
    return None
