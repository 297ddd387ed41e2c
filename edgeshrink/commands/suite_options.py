"""Options of every command that runs a behaviour suite: which one, its seed, its gates."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def suite_options(function: F) -> F:
    """--suite, --seed, --gate: the fields `suite`, `seed` and `gates` of a Request."""
    for option in (
        click.option(
            "--gate",
            "gates",
            multiple=True,
            metavar="SLICE:LIMIT",
            help="What a slice may lose, such as 'arithmetic:max-degradation=0.02', 'tools/*:threshold=0.9', "
            "'worst-slice:max-degradation=0.1' or 'exchange:decode-tok-s:percent-min-improvement=5'; "
            "goes before the profile's; may be given again.",
        ),
        click.option(
            "--seed",
            default="0",
            metavar="N|fresh",
            callback=lambda _context, _parameter, value: _seed(value),
            help="Of the suite's items; fresh draws one, which the report names. [default: 0]",
        ),
        click.option(
            "--suite",
            metavar="NAME|FILE",
            help="Behaviour suite: quick, standard, full, none, a suite's .toml, your own .jsonl, a BFCL file, or "
            "lm-eval:TASK; several joined by commas. [default: standard, or EDGESHRINK_SUITE; quick to compare]",
        ),
    ):
        function = option(function)
    return function


def _seed(value: str) -> int:
    if value == "fresh":
        return secrets.randbelow(1 << 31)
    if not value.isdecimal():
        raise click.BadParameter(f"{value!r} is neither a whole number of 0 or more, nor fresh")
    return int(value)
