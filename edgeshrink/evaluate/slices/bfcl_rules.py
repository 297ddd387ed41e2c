"""When a call is right, by the rules of the Berkeley Function Calling Leaderboard for Python ("AST evaluation").

Written from what its published checker does (gorilla, berkeley-function-call-leaderboard, ast_checker; Patil et al.,
ICML 2025), its oddities included, so that a score here means what it means there. Each argument has a list of values
that are taken; "" in it says that the argument may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edgeshrink.evaluate.slices.call_spellings import Call

Function = Mapping[str, Any]
"""One of a file's functions: "name", "description", "parameters"."""
Wanted = Mapping[str, Mapping[str, Sequence[Any]]]
"""{function's name: {argument: values that are taken}}"""

_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_JSON_TYPES: Mapping[str, str] = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
_IGNORED = re.compile(r"[ ,./\-_*^]")


def judge_calls(functions: Sequence[Function], wanted: Sequence[Wanted], calls: Sequence[Call]) -> str | None:
    """What is wrong with `calls`, or None. Several are right in any order, each for one of `wanted`."""
    if len(calls) != len(wanted):
        return f"wrong number of calls: {len(calls)} for {len(wanted)}"
    left = list(calls)
    for one in wanted:
        ((name, arguments),) = one.items()
        described = next((function for function in functions if function["name"] == name), functions[0])
        faults = [_fault(described["parameters"], name, arguments, call) for call in left]
        if None not in faults:
            return faults[0]
        del left[faults.index(None)]
    return None


def _fault(parameters: Mapping[str, Any], name: str, wanted: Mapping[str, Sequence[Any]], call: Call) -> str | None:
    if call.name != name:
        return f"wrong function: {call.name}"
    missing = [one for one in parameters.get("required", ()) if one not in call.arguments]
    if missing:
        return f"missing required argument: {missing[0]}"
    properties = parameters.get("properties", {})
    for argument, value in call.arguments.items():
        if argument not in properties or argument not in wanted:
            return f"unexpected argument: {argument}"
        fault = _value_fault(properties[argument], value, wanted[argument])
        if fault:
            return f"{fault}: {argument}"
    left_out = [one for one, taken in wanted.items() if one not in call.arguments and "" not in taken]
    return f"missing argument: {left_out[0]}" if left_out else None


def _value_fault(described: Mapping[str, Any], value: Any, taken: Sequence[Any]) -> str | None:
    kind = described.get("type", "any")
    expected = _TYPES.get(kind, str)
    items = (described.get("items") or {}).get("type") if expected is list else None
    nested = None if items is None else _TYPES.get(items, str)
    if kind == "float" and type(value) is int:
        value = float(value)
    as_described = type(value) is expected
    if as_described and nested is not None and not _any_list_fits(value, nested, taken):
        return "wrong type"
    if not as_described and type(value) is not _type_taken(taken):
        return "wrong type"
    # Where a value of another type than described is taken, it stands for a variable, and is compared as it is.
    variable = not as_described or _type_taken(taken) not in (None, expected)
    return None if _is_taken(value, taken, nested, variable=variable) else "wrong value"


def _type_taken(taken: Sequence[Any]) -> type | None:
    return next((type(one) for one in taken if one != ""), None)


def _any_list_fits(value: Sequence[Any], nested: type, taken: Sequence[Any]) -> bool:
    """One level deep, as there: every element has the type described, or that of the first element taken."""
    return any(
        not isinstance(one, list) or all(type(item) in (nested, _type_taken(one)) for item in value) for one in taken
    )


def _is_taken(value: Any, taken: Sequence[Any], nested: type | None, *, variable: bool) -> bool:
    if not variable:
        if isinstance(value, dict):
            return any(isinstance(one, dict) and _same_dict(value, one) for one in taken)
        if isinstance(value, list) and nested is dict:
            return any(_same_dicts(value, one or []) for one in taken if isinstance(one, list) or one == "")
        if isinstance(value, list):
            lists = [one or [] for one in taken if isinstance(one, list) or one == ""]
            return [_plain(item) for item in value] in [[_plain(item) for item in one] for one in lists]
        if isinstance(value, str):
            return _plain(value) in [_plain(one) for one in taken if isinstance(one, str)]
    return value in taken


def _plain(value: Any) -> Any:
    """Strings are compared without case, blanks and the signs `,./-_*^`; quotes are all the same."""
    return _IGNORED.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value


def _same_dict(value: Mapping[str, Any], taken: Mapping[str, Sequence[Any]]) -> bool:
    """Of one dict that is taken, each key has a list of values."""
    lists = {key: others if isinstance(others, list) else [others] for key, others in taken.items()}
    known = all(key in lists and _plain(one) in map(_plain, lists[key]) for key, one in value.items())
    return known and all(key in value or "" in others for key, others in lists.items())


def _same_dicts(value: Sequence[Any], taken: Sequence[Any]) -> bool:
    return len(value) == len(taken) and all(
        isinstance(one, dict) and isinstance(other, dict) and _same_dict(one, other)
        for one, other in zip(value, taken, strict=True)
    )


def tool_of(function: Function) -> dict[str, Any]:
    """The function in OpenAI's form, its types in the words of JSON Schema, as the leaderboard offers it."""
    described = {key: value for key, value in function.items() if key != "parameters"}
    parameters = _schema(function.get("parameters") or {"type": "dict", "properties": {}})
    return {"type": "function", "function": {**described, "parameters": parameters}}


def _schema(value: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(value)
    if isinstance(made.get("type"), str):
        made["type"] = _JSON_TYPES.get(made["type"], made["type"])
    if isinstance(made.get("properties"), Mapping):
        made["properties"] = {name: _schema(one) for name, one in made["properties"].items()}
    if isinstance(made.get("items"), Mapping):
        made["items"] = _schema(made["items"])
    return made
