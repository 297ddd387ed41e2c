"""The answer is JSON that fits the expected JSON Schema (draft 2020-12 where it names no other); a fence around it is
taken off. Nothing is fetched: a reference that leads out of the schema is refused when the suite is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from referencing import Registry

from edgeshrink.evaluate.scorers.bounded import shared

NAME = "json-schema"
_MAX_TOKENS = 256
_LONGEST = 100_000  # characters of an answer that are parsed


def check(expected: Any, options: Mapping[str, Any]) -> None:
    if not isinstance(expected, (dict, bool)):
        raise ValueError(f"expected a JSON Schema, got {expected!r:.80}")
    for reference in _references(expected):
        if not reference.startswith("#"):
            raise ValueError(f"the JSON Schema refers to {reference!r:.80}, which is not within it")
    try:
        validator_for(expected, default=jsonschema.Draft202012Validator).check_schema(expected)
    except jsonschema.SchemaError as error:
        raise ValueError(f"no JSON Schema: {error.message:.120}") from error


def max_tokens(expected: Any) -> int:
    return _MAX_TOKENS


def score(said: str, expected: Any, options: Mapping[str, Any]) -> float:
    # Patterns in a schema are regular expressions of the person's own, as in `regex`.
    returned = shared.call(f"{__name__}:fits", said, expected, what="a JSON Schema")
    return float(returned is not None and bool(returned.value))


def fits(said: str, schema: Any) -> bool:
    """The worker's side."""
    try:
        value = json.loads(_unfenced(said[:_LONGEST]), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        return bool(kind(schema, registry=Registry()).is_valid(value))
    except RecursionError:
        return False


def _unfenced(said: str) -> str:
    text = said.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text


def _refuse_constant(name: str) -> None:
    """JSON has no NaN and no Infinity; Python reads them all the same."""
    raise ValueError(f"{name} is no JSON")


def _references(schema: Any) -> Iterator[str]:
    rest = [schema]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            yield from (str(one[key]) for key in ("$ref", "$dynamicRef") if isinstance(one.get(key), str))
            rest += one.values()
        elif isinstance(one, list):
            rest += one
