"""`report.json`: the Report as JSON. Equal reports give equal bytes, and reading gives the report back."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeshrink.core.report import REPORT_SCHEMA, Report
from edgeshrink.errors import DataError


def report_to_json(report: Report) -> str:
    """Keys in the order of the fields, ASCII, a newline at the end. `folder` is left out: a folder may move.

    A reading that is not finite, which JSON cannot say, becomes an unmeasured one with that reason.
    """
    first = _strict(_adapter().dump_python(report, mode="json", exclude={"folder"}))
    # Through the types once, so that 5 and 5.0, which are equal, are also spelled alike.
    same = _adapter().dump_python(_adapter().validate_python(first), mode="json", exclude={"folder"})
    return json.dumps(same, indent=2, allow_nan=False) + "\n"


def report_from_json(text: str) -> Report:
    """The report that `text` spells; DataError names the first key that is not what it should be."""
    try:
        report = _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole text"
        raise DataError(
            f"not a report: at {where}: {first['msg']}",
            hint="report.json is written by `edgeshrink build` and `edgeshrink profile`; make it again",
        ) from error
    if report.schema != REPORT_SCHEMA:
        raise DataError(
            f"not a report of this version: schema is {report.schema!r}, expected {REPORT_SCHEMA!r}",
            hint="read it with the edgeshrink that wrote it, or build again",
        )
    return report


def report_schema() -> dict[str, Any]:
    """The JSON Schema that `report.json` keeps to."""
    schema = _adapter().json_schema(mode="serialization")
    schema["properties"].pop("folder")
    schema["required"] = [name for name in schema["required"] if name != "folder"]
    return schema


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _strict(value: Any) -> Any:
    """`value` with only what strict JSON in UTF-8 can say."""
    if isinstance(value, dict):
        number = value.get("value")
        if "kind" in value and isinstance(number, float) and not math.isfinite(number):
            return {"reason": f"not a finite number ({number})", "kind": "unmeasured"}
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
