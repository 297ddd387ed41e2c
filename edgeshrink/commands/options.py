"""Options that several commands share, and what they have in common: consoles, questions, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import RenderableType

from edgeshrink.core.request import Request
from edgeshrink.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, and nothing else.")
yes_option = click.option("--yes", is_flag=True, help="Answer every question with yes.")
strict_option = click.option("--strict", is_flag=True, help="Let an UNKNOWN line count as failed (exit 1).")


def target_options(function: F) -> F:
    """--target, --profile, --context."""
    for option in (
        click.option("--context", type=click.IntRange(min=16), help="Tokens of context to plan and measure for."),
        click.option("--profile", metavar="ID", help="Device profile; the target's default when left out."),
        click.option(
            "--target", default="laptop-cpu", show_default=True, metavar="ID", help="See `edgeshrink targets`."
        ),
    ):
        function = option(function)
    return function


def model_options(function: F) -> F:
    """What a plan and a build take besides: scheme, tensor types, importance matrix, calibration text."""
    for option in (
        click.option("--revision", metavar="REV", help="Commit or branch of a hub model; its newest when left out."),
        click.option("--offline", is_flag=True, help="Take a hub model from the local cache only."),
        click.option(
            "--calibration",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="UTF-8 text for the importance matrix (ours when left out); a network's samples: a folder or an .npz.",
        ),
        click.option(
            "--imatrix",
            default="default",
            metavar="FILE|auto|none",
            help="Importance matrix: a file, computed, or none. [default: auto below 5 bits]",
        ),
        click.option(
            "--tensor-type",
            "tensor_types",
            multiple=True,
            metavar="REGEX=TYPE",
            callback=lambda _context, _parameter, values: tuple(_pair(value) for value in values),
            help="Type of the tensors whose GGUF name matches; may be given again, the first match wins.",
        ),
        click.option(
            "--scheme",
            metavar="NAME",
            help="float, 8bit or 4bit; or a format's own (Q4_K_M, 8da4w, int4, gguf=Q4_K_M,onnx=int4). "
            "When left out, the target's ladder is walked.",
        ),
        click.option(
            "--delegate", metavar="NAME", help="Backend to build and run for; the target's first when left out."
        ),
        click.option(
            "--format",
            "format_",
            metavar="NAME|all",
            help="gguf, executorch, onnx, or all that the target lists; its first when left out.",
        ),
    ):
        function = option(function)
    return function


def _pair(value: str) -> tuple[str, str]:
    pattern, separator, kind = value.rpartition("=")
    if not separator or not pattern or not kind:
        raise click.BadParameter(f"{value!r} is not REGEX=TYPE, for example 'ffn_down=Q6_K'")
    return pattern, kind


def size(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """The callback of an option that takes bytes: 2MiB, 1.5GB, 4096."""
    from pydantic import ByteSize, TypeAdapter, ValidationError

    if value is None:
        return None
    try:
        found = TypeAdapter(ByteSize).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(f"{value!r} is no size, for example 2MiB", param=parameter) from error
    if found <= 0:
        raise click.BadParameter("a size is more than 0", param=parameter)
    return int(found)


def request_of(model: str | None, arguments: dict[str, Any]) -> Request:
    """A Request from the keyword arguments that the shared options give."""
    arguments = {("format" if key == "format_" else key): value for key, value in arguments.items()}
    return Request(model=model, **arguments)


def show(renderable: RenderableType) -> None:
    """To stdout, in colour where it is a terminal."""
    from edgeshrink.report.console import console

    console().print(renderable)


def asker(yes: bool) -> Callable[[str], bool]:
    """Asks a question in a terminal; elsewhere refuses, unless --yes."""

    def ask(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise UsageError(question, hint="answer with --yes")
        return click.confirm(question, err=True)

    return ask


def json_text(value: Any) -> str:
    from edgeshrink.core.values import to_json

    return to_json(value).rstrip("\n")
