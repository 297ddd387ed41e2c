"""`edgeshrink keys new`: a pair of keys to sign bundles with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from edgeshrink.commands.options import json_option, json_text, show
from edgeshrink.commands.passphrases import passphrase_of, passphrase_options


@dataclass(frozen=True, slots=True)
class WrittenKeys:
    """`fingerprint`: sha256 of the public key's PEM, as `verify` shows it."""

    private: str
    public: str
    fingerprint: str
    encrypted: bool


@click.group("keys")
def command() -> None:
    """Keys that bundles are signed with."""


@command.command("new")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where to write.")
@click.option("--name", default="edgeshrink", show_default=True, help="Name of the two files: NAME.key and NAME.pub.")
@passphrase_options
@json_option
def new(out: Path, name: str, ask_passphrase: bool, passphrase_file: Path | None, as_json: bool) -> int:
    """Write a new private key (mode 0600) and its .pub into FOLDER: P-256, in PEM. No key is ever overwritten."""
    from edgeshrink.engine.keys import make_keys

    passphrase = passphrase_of(ask_passphrase, passphrase_file, new=True)
    made = make_keys(out, name=name, passphrase=passphrase)
    keys = WrittenKeys(str(made.private), str(made.public), made.fingerprint, passphrase is not None)
    if as_json:
        click.echo(json_text(keys))
        return 0
    from edgeshrink.report.verification_terminal import render_keys

    show(render_keys(keys.private, keys.public, keys.fingerprint, encrypted=keys.encrypted))
    return 0
