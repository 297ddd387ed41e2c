"""Render a chat template as Hugging Face does, in a sandbox: a template is a program that came with a checkpoint.

It sees plain JSON values and a handful of functions, nothing of Python's inside. Its time and memory are bounded in
`chat_bounded` alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node, Scope
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from edgeshrink.errors import DataError

Message = Mapping[str, Any]


def render_chat(
    template: str,
    messages: Sequence[Message],
    *,
    bos_token: str = "",
    eos_token: str = "",
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = True,
    today: str | None = None,
    **variables: Any,
) -> str:
    """The prompt text for `messages` ({"role", "content"}); `variables` are further names the template may read.

    `today` (ISO 8601) is the time that a template sees which writes the date, in place of the clock's.
    DataError where the template is no Jinja, does what the sandbox forbids, or refuses these messages itself.
    """
    try:
        return _compile(template).render(
            messages=_plain(list(messages)),
            tools=None if tools is None else _plain(list(tools)),
            documents=None,
            add_generation_prompt=add_generation_prompt,
            bos_token=bos_token,
            eos_token=eos_token,
            strftime_now=_clock(today),
            **_plain(variables),
        )
    except jinja2.TemplateSyntaxError as error:
        raise _no_jinja(error) from error
    except jinja2.exceptions.SecurityError as error:
        raise DataError(f"the chat template tried what the sandbox forbids: {error}") from error
    except Exception as error:  # a program of somebody else's can raise anything
        raise DataError(f"the chat template refused these messages: {error}") from error


def check_template(template: str) -> None:
    """DataError where the template is no Jinja; nothing of it is run."""
    try:
        _compile(template)
    except jinja2.TemplateSyntaxError as error:
        raise _no_jinja(error) from error


def _no_jinja(error: jinja2.TemplateSyntaxError) -> DataError:
    return DataError(
        f"the chat template is not valid Jinja: line {error.lineno}: {error.message}",
        hint="correct chat_template in tokenizer_config.json (or chat_template.jinja)",
    )


@lru_cache(maxsize=8)
def _compile(template: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["namespace"] = _PlainNamespace
    environment.globals["dict"] = lambda *args, **names: dict(*args, **names)
    return environment.from_string(template)


class _Generation(Extension):
    """`{% generation %}` marks the assistant's words for training; here it is its body."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return Scope(body, lineno=line)


class _PlainNamespace(Namespace):
    """Jinja's namespace, which would otherwise let a template store names that Python gives a meaning to."""

    def __init__(*args: Any, **names: Any) -> None:
        self, *rest = args
        values = dict(*rest, **names)
        for name in values:
            _refuse_private(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_private(name)
        super().__setitem__(name, value)


def _refuse_private(name: str) -> None:
    if name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace cannot hold the name {name!r}")


def _plain(value: Any) -> Any:
    """A copy made of JSON values alone: objects with methods of their own never reach the template."""
    return json.loads(json.dumps(value))


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own `tojson` escapes HTML; models were trained on plain JSON."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _clock(today: str | None) -> Callable[[str], str]:
    return lambda pattern: (datetime.fromisoformat(today) if today else datetime.now()).strftime(pattern)
