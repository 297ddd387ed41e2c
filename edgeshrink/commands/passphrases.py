"""The passphrase of a private key: from a file, from the environment, or asked for on a terminal; never an argument."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeshrink.errors import UsageError

if TYPE_CHECKING:
    from edgeshrink.engine.seal import Seal

F = TypeVar("F", bound=Callable[..., Any])


def passphrase_options(function: F) -> F:
    """--passphrase, --passphrase-file: `ask_passphrase` and `passphrase_file`, for `passphrase_of`."""
    for option in (
        click.option(
            "--passphrase-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Read the key's passphrase from the first line of FILE. [default: EDGESHRINK_KEY_PASSPHRASE]",
        ),
        click.option("--passphrase", "ask_passphrase", is_flag=True, help="Ask for the key's passphrase."),
    ):
        function = option(function)
    return function


def passphrase_of(ask: bool, file: Path | None, *, new: bool = False) -> str | None:
    """The passphrase, None where there is none. `new`: it is typed twice."""
    from edgeshrink.engine.keys import given_passphrase

    if not ask:
        return given_passphrase(file)
    if file is not None:
        raise UsageError("--passphrase asks, --passphrase-file reads", hint="give one of them")
    if not sys.stdin.isatty():
        hint = "use --passphrase-file or EDGESHRINK_KEY_PASSPHRASE"
        raise UsageError("a passphrase is asked for on a terminal, and this is none", hint=hint)
    typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True)
    return typed


def seal_of(key: Path | None, ask: bool, file: Path | None, signer: str, *, keyless: bool = False) -> Seal | None:
    """Who signs; None where nobody does. UsageError where the options leave that open."""
    from edgeshrink.engine.seal import Seal

    if key is not None and keyless:
        raise UsageError("--key and --keyless both say who signs", hint="choose one")
    if key is None and (ask or file or (signer and not keyless)):
        raise UsageError("a passphrase or a signer without a key: nothing would be signed", hint="add --key PRIVATE")
    passphrase = passphrase_of(ask, file)
    return Seal(key, passphrase, signer) if key is not None or keyless else None
