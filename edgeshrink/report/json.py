"""`report.json`, `comparison.json`, `edgeshrink-step.json` and what the verbs print. Equal values give equal bytes.

Reading gives the value back.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from edgeshrink.core.compared import Compared
from edgeshrink.core.listing import ListedDevice
from edgeshrink.core.report import (
    COMPARISON_SCHEMA,
    DEVICES_SCHEMA,
    REPORT_SCHEMA,
    Comparison,
    DeviceSessions,
    Interleaved,
    Report,
)
from edgeshrink.core.shrinking import SHRINK_SCHEMA, ShrinkStep
from edgeshrink.core.values import first_wrong
from edgeshrink.errors import DataError

V = TypeVar("V")
# What is left out.
_REPORT: dict[str, Any] = {"folder": True}
_COMPARISON: dict[str, Any] = {"folder": True, "outcomes": {"__all__": {"report": {"folder": True}}}}
_SESSIONS = _COMPARISON
_LARGEST = sys.float_info.max
"""Stands for infinity in the bounds of a loss, which JSON cannot say: an interval may be open at one end."""


def report_to_json(report: Report) -> str:
    """Keys in the order of the fields, ASCII, a newline at the end. `folder` is left out: a folder may move.

    A reading that is not finite, which JSON cannot say, becomes an unmeasured one with that reason.
    """
    return _to_json(report, _report(), _REPORT)


def comparison_to_json(comparison: Comparison) -> str:
    """As `report_to_json`, with every format's report whole inside."""
    return _to_json(comparison, _comparison(), _COMPARISON)


def sessions_to_json(sessions: DeviceSessions) -> str:
    """As `report_to_json`, with every device's report whole inside."""
    return _to_json(sessions, _sessions(), _SESSIONS)


def interleaved_to_json(interleaved: Interleaved) -> str:
    """Two artifacts on one device in turn."""
    return _to_json(interleaved, _interleaved(), {})


def compared_to_json(compared: Compared) -> str:
    """What `edgeshrink compare --json` prints."""
    return _to_json(compared, _compared(), {})


def devices_to_json(rows: Sequence[ListedDevice]) -> str:
    """What is attached, as a list: nothing attached is an empty one."""
    return _to_json(tuple(rows), _devices(), {})


def report_from_json(text: str) -> Report:
    """The report that `text` spells; DataError names the first key that is not what it should be."""
    hint = "report.json is written by `edgeshrink build` and `edgeshrink profile`; make it again"
    return _from_json(text, _report(), "report", REPORT_SCHEMA, hint)


def comparison_from_json(text: str) -> Comparison:
    """The comparison that `text` spells; DataError names the first key that is not what it should be."""
    hint = "comparison.json is written by `edgeshrink build --format all`; make it again"
    return _from_json(text, _comparison(), "comparison", COMPARISON_SCHEMA, hint)


def sessions_from_json(text: str) -> DeviceSessions:
    """The sessions that `text` spells; DataError names the first key that is not what it should be."""
    hint = "it is printed by `edgeshrink profile --device all --json`; make it again"
    return _from_json(text, _sessions(), "session on several devices", DEVICES_SCHEMA, hint)


def step_to_json(step: ShrinkStep) -> str:
    """What stands in a model folder as edgeshrink-step.json."""
    return _to_json(step, _step(), {})


def step_from_json(text: str) -> ShrinkStep:
    """The step that `text` spells; DataError names the first key that is not what it should be."""
    hint = "edgeshrink-step.json is written by `edgeshrink prune` and `edgeshrink distill`; make it again"
    return _from_json(text, _step(), "shrinking step", SHRINK_SCHEMA, hint)


def report_schema() -> dict[str, Any]:
    """The JSON Schema that `report.json` keeps to."""
    schema = _report().json_schema(mode="serialization")
    _without_folder(schema)
    return schema


def comparison_schema() -> dict[str, Any]:
    """The JSON Schema that `comparison.json` keeps to."""
    schema = _comparison().json_schema(mode="serialization")
    _without_folder(schema)
    _without_folder(schema["$defs"]["Report"])
    return schema


def sessions_schema() -> dict[str, Any]:
    """The JSON Schema of what `edgeshrink profile --device all --json` prints."""
    schema = _sessions().json_schema(mode="serialization")
    _without_folder(schema["$defs"]["Report"])
    return schema


def compared_schema() -> dict[str, Any]:
    """The JSON Schema of what `edgeshrink compare --json` prints."""
    return _compared().json_schema(mode="serialization")


def step_schema() -> dict[str, Any]:
    """The JSON Schema that `edgeshrink-step.json` keeps to."""
    return _step().json_schema(mode="serialization")


@cache
def _step() -> TypeAdapter[ShrinkStep]:
    return TypeAdapter(ShrinkStep)


@cache
def _compared() -> TypeAdapter[Compared]:
    return TypeAdapter(Compared)


@cache
def _report() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


@cache
def _comparison() -> TypeAdapter[Comparison]:
    return TypeAdapter(Comparison)


@cache
def _sessions() -> TypeAdapter[DeviceSessions]:
    return TypeAdapter(DeviceSessions)


@cache
def _interleaved() -> TypeAdapter[Interleaved]:
    return TypeAdapter(Interleaved)


@cache
def _devices() -> TypeAdapter[tuple[ListedDevice, ...]]:
    return TypeAdapter(tuple[ListedDevice, ...])


def _to_json(value: V, adapter: TypeAdapter[V], left_out: dict[str, Any]) -> str:
    first = _strict(adapter.dump_python(value, mode="json", exclude=left_out))
    # Through the types once, so that 5 and 5.0, which are equal, are also spelled alike.
    same = adapter.dump_python(adapter.validate_python(first), mode="json", exclude=left_out)
    return json.dumps(same, indent=2, allow_nan=False) + "\n"


def _from_json(text: str, adapter: TypeAdapter[V], what: str, schema: str, hint: str) -> V:
    """The version is looked at first: of another one, no key has to be as it is today."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DataError(f"not a {what}: {error}", hint=hint) from error
    found = data.get("schema") if isinstance(data, dict) else None
    if isinstance(found, str) and found != schema:
        raise DataError(
            f"not a {what} of this version: schema is {found!r}, expected {schema!r}",
            hint="read it with the edgeshrink that wrote it, or build again",
        )
    try:
        return adapter.validate_python(_with_open_ends(data))
    except ValidationError as error:
        raise DataError(f"not a {what}: {first_wrong(error)}", hint=hint) from error


def _without_folder(schema: dict[str, Any]) -> None:
    schema["properties"].pop("folder")
    schema["required"] = [name for name in schema["required"] if name != "folder"]


def _bounds(value: dict[str, Any]) -> list[float]:
    """Those of a loss, empty where there are none."""
    bounds = value.get("bounds")
    return bounds if isinstance(bounds, list) and all(isinstance(end, float) for end in bounds) else []


def _with_open_ends(data: Any) -> Any:
    """`data` with the largest float of any bounds as what it was written for: an interval without that end."""
    if isinstance(data, dict):
        found = {key: _with_open_ends(item) for key, item in data.items()}
        if bounds := _bounds(found):
            found["bounds"] = [math.copysign(math.inf, end) if abs(end) == _LARGEST else end for end in bounds]
        return found
    return [_with_open_ends(item) for item in data] if isinstance(data, list) else data


def _broken_point(value: Any) -> bool:
    """A point of a training curve whose figure is not finite: the curve has a gap there."""
    needed = ("loss", "rate", "seconds", "tokens_s", "objective", "cross_entropy")
    numbers = (value.get(name) for name in needed) if isinstance(value, dict) and "step" in value else ()
    return any(isinstance(number, float) and not math.isfinite(number) for number in numbers)


def _strict(value: Any) -> Any:
    """`value` with only what strict JSON in UTF-8 can say."""
    if isinstance(value, dict):
        if bounds := _bounds(value):
            value = {**value, "bounds": [max(-_LARGEST, min(_LARGEST, end)) for end in bounds]}
        number = value.get("value")
        if "kind" in value and isinstance(number, float) and not math.isfinite(number):
            return {"reason": f"not a finite number ({number})", "kind": "unmeasured"}
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value if not _broken_point(item)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
