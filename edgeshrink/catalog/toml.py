"""One TOML file -> one validated value. What is wrong is said with file, key, what was expected and what was found."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgeshrink.catalog.data import display_path
from edgeshrink.errors import DataError

M = TypeVar("M", bound=BaseModel)
Schema = dict[str, Any]


def read_toml(path: Path, model: type[M]) -> M:
    """The value in `path`. DataError names each wrong key, what belongs there, and what was found."""
    shown = display_path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{shown}: not TOML: {error}", hint=f"correct {shown} and try again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{shown}: not UTF-8 (byte {error.start})", hint=f"save {shown} as UTF-8") from error
    except OSError as error:
        raise DataError(f"{shown}: cannot be read: {error.strerror}", hint="check its permissions") from error
    try:
        # TOML is typed, so "4" is no number and true is no count: pydantic's strict JSON mode says so,
        # and still takes an array for a tuple.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        schema = model.model_json_schema()
        lines = sorted({f"{shown}: {_sentence(schema, detail)}" for detail in error.errors(include_url=False)})
        raise DataError("\n".join(lines), hint=f"correct {shown} and try again") from error


def _sentence(schema: Schema, detail: ErrorDetails) -> str:
    *parents, last = detail["loc"] or ("",)
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = sorted(_node(schema, tuple(parents)).get("properties", {}))
        near = difflib.get_close_matches(str(last), known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key; {advice}"
    expected = _expected(schema, _node(schema, detail["loc"]))
    if detail["type"] == "missing":
        return f"{key}: missing; expected {expected}"
    return f"{key}: expected {expected}, got {_found(detail['input'])}"


def _found(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _node(schema: Schema, loc: tuple[int | str, ...]) -> Schema:
    """The part of a JSON schema that describes the key at `loc`; {} where the schema says nothing of it."""
    node = _resolve(schema, schema)
    for part in loc:
        if isinstance(part, int):
            node = _resolve(schema, node.get("items", {}))
        elif part in node.get("properties", {}):
            node = _resolve(schema, node["properties"][part])
        else:
            open_values = node.get("additionalProperties")
            node = _resolve(schema, open_values) if isinstance(open_values, dict) else {}
    return node


def _resolve(schema: Schema, node: Schema) -> Schema:
    """`node` with its reference followed and its optional `null` taken away; its own description wins."""
    description = node.get("description")
    if len(choices := [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]) == 1:
        node = choices[0]
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return {**node, "description": description} if description else node


def _expected(schema: Schema, node: Schema) -> str:
    words = " or ".join(dict.fromkeys(_kinds(schema, node))) or "another kind of value"
    about = str(node.get("description", "")).rstrip(".")
    return f"{words} ({about})" if about else words


def _kinds(schema: Schema, node: Schema) -> Iterator[str]:
    if "enum" in node:
        yield "one of " + ", ".join(map(str, node["enum"]))
        return
    if "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        if {choice.get("type") for choice in choices} == {"integer", "string"}:
            yield 'bytes > 0, as a whole number or as text like "1.5GiB"'
            return
        for choice in choices:
            yield from _kinds(schema, _resolve(schema, choice))
        return
    match node.get("type"):
        case "number" | "integer":
            noun = "a number" if node["type"] == "number" else "a whole number"
            words = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
            limits = [f"{sign} {node[name]:g}" for name, sign in words.items() if name in node]
            yield f"{noun} {' and '.join(limits)}".rstrip()
        case "string" if node.get("pattern") == r"^[a-z0-9][a-z0-9-]*$":
            yield "an id of lower-case letters, digits and hyphens"
        case "string":
            least = node.get("minLength", 0)
            yield f"text of at least {least} characters" if least else "text"
        case "array":
            yield "a list of at least one" if node.get("minItems") else "a list"
        case "object":
            required = node.get("required", ())
            yield f"a table with {', '.join(required)}" if required else "a table"
        case "boolean":
            yield "true or false"
