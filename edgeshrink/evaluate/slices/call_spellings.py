"""How a call is spelled: JSON, Python, a name in front of JSON, or tags.

- `{"name": ..., "arguments" | "parameters" | "args" | "input": {...}}`, also within `{"function": ...}`, in a list, or
  several behind each other; OpenAI's arguments as a string of JSON; `{name: {...}}`, as BFCL's files write a call;
- `[f(a=1), g.h(b="x")]` and `f(a=1)`: keywords only, literals only; a bare word is a string;
- `f{"a": 1}`, with what chat templates put between the two (`functions.f:0`, `[ARGS]`);
- `<function=f><parameter=a>1</parameter></function>` and `f <arg_key>a</arg_key><arg_value>1</arg_value>`;
- `call:f{a:<escape>x<escape>,b:1}`, as FunctionGemma writes it, with its marks or without them.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_OPENS = re.compile(r"""\{\s*(?:["'}]|\Z)|\[\s*(?:\{|[A-Za-z_][\w.]*\(|\Z)|<function=|<invoke """)
_BETWEEN = re.compile(r"[\s;,]*")
_NAME_FIRST = re.compile(r"(?:functions[.:])?([\w.-]+?)(?::\d+)?\s*+(?:\[ARGS\]|<\|[^|>]{1,40}\|>|json)?\s*+(?=\{)")
_TAGGED = re.compile(r"\A<function=\"?([\w.-]+)\"?>(.*?)(?:</function>\s*)?\Z", re.DOTALL)
_KEYED = re.compile(r"\A([\w.-]+)\s*(<arg_key>.*)\Z", re.DOTALL)
_BARE = re.compile(r"\Acall:([\w.-]+)\{(.*)\}\Z", re.DOTALL)
_BARE_PAIR = re.compile(r"\s*([\w.-]+):(?:<escape>([^<]*)<escape>|<\|\"\|>([^<]*)<\|\"\|>|([^<>,{}]*))(?:,|\Z)")
_PARAMETERS = re.compile(
    r"<parameter=\"?([\w.-]+)\"?>(.*?)</parameter>|<arg_key>([^<]*)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL
)
_NAMES = ("name", "function", "tool", "tool_name", "function_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: Mapping[str, Any]


class BrokenCall(Exception):
    """What should be a call cannot be read as one. Never leaves this pair of files."""


def opens(text: str, names: Collection[str]) -> bool:
    """Whether `text` begins as a call does."""
    if _OPENS.match(text):
        return True
    found = re.match(r"(?:functions[.:]|call:)?([\w.-]+?)(?::\d+)?\s*(?:[({]|\[ARGS\]|<arg_key>)", text)
    return found is not None and found[1] in names


def spelled(text: str, names: Collection[str]) -> Iterator[Call]:
    """The calls that `text` consists of; BrokenCall where it holds anything else."""
    try:
        yield from _calls(text, names)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise BrokenCall(str(error)) from error


def _calls(text: str, names: Collection[str]) -> Iterator[Call]:
    tagged = _TAGGED.match(text) or _KEYED.match(text)
    if tagged:
        yield _from_tags(tagged[1], tagged[2])
    elif bare := _BARE.match(text):
        yield _from_bare_pairs(bare[1], bare[2])
    elif text.startswith("{") or re.match(r"\[\s*[\{\]]", text):
        for value in _json_values(text):
            yield from _from_json(value, names)
    elif named := _NAME_FIRST.match(text):
        yield from _named_json(text, named)
    else:
        yield from _from_python(text)


def _json_values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    position = 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        found = _BETWEEN.match(text, position)
        position = found.end() if found else position


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _from_json(value: Any, names: Collection[str]) -> Iterator[Call]:
    if isinstance(value, list):
        for one in value:
            yield from _from_json(one, names)
        return
    if not isinstance(value, dict):
        raise BrokenCall("no object")
    if isinstance(value.get("tool_calls"), list):
        yield from _from_json(value["tool_calls"], names)
        return
    if isinstance(value.get("function"), dict):
        value = value["function"]
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if name is not None:
        given: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
        yield Call(_bare(name, names), _object(given))
    elif len(value) == 1 and next(iter(value)) in names:
        ((name, arguments),) = value.items()
        yield Call(name, _object(arguments))
    else:
        raise BrokenCall("an object without a name")


def _object(arguments: Any) -> Mapping[str, Any]:
    if isinstance(arguments, str):
        arguments = json.loads(arguments, parse_constant=_no_constant)
    if not isinstance(arguments, dict):
        raise BrokenCall("arguments are no object")
    return arguments


def _bare(name: str, names: Collection[str]) -> str:
    short = name.removeprefix("functions.")
    return short if name not in names and short in names else name


def _named_json(text: str, named: re.Match[str]) -> Iterator[Call]:
    (arguments,) = _json_values(text[named.end() :])
    yield Call(named[1], _object(arguments))


def _from_tags(name: str, body: str) -> Call:
    """Values stand there as they are: one that is JSON is read as JSON, any other is a string."""
    inner = body.strip()
    if inner.startswith("{"):
        (arguments,) = _json_values(inner)
        return Call(name, _object(arguments))
    if _PARAMETERS.sub("", inner).strip():
        raise BrokenCall("words between the parameters")
    found = _PARAMETERS.finditer(inner)
    return Call(name, {(one[1] or one[3] or "").strip(): _loose(one[2] or one[4] or "") for one in found})


def _from_bare_pairs(name: str, body: str) -> Call:
    """Text stands between marks, or bare where the marks were control tokens; anything else is JSON."""
    arguments: dict[str, Any] = {}
    position, body = 0, body.strip()
    while position < len(body):
        pair = _BARE_PAIR.match(body, position)
        if pair is None:
            raise BrokenCall("no pair of a name and a value")
        marked = pair[2] if pair[2] is not None else pair[3]
        arguments[pair[1]] = _loose(pair[4]) if marked is None else marked
        position = pair.end()
    return Call(name, arguments)


def _loose(text: str) -> Any:
    text = text.strip()
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _from_python(text: str) -> Iterator[Call]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler, about escapes in strings
        body = ast.parse(text, mode="eval").body
        nodes = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
        for node in nodes:
            if not isinstance(node, ast.Call) or node.args:
                raise BrokenCall("no call with keywords")
            yield Call(_dotted(node.func), dict(map(_keyword, node.keywords)))


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise BrokenCall("no name")


def _keyword(keyword: ast.keyword) -> tuple[str, Any]:
    if keyword.arg is None:
        raise BrokenCall("no keyword")
    if isinstance(keyword.value, ast.Name):
        word = keyword.value.id
        return keyword.arg, _WORDS.get(word.lower(), word)
    value = ast.literal_eval(keyword.value)
    return keyword.arg, json.loads(json.dumps(value, allow_nan=False))  # as JSON has it: a tuple is a list
