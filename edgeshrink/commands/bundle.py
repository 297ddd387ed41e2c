"""`edgeshrink bundle OUT`: what a developer of one platform drops into a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from edgeshrink.bundle.android.parts import PARTS
from edgeshrink.commands.options import json_option, show
from edgeshrink.commands.passphrases import passphrase_options, seal_of
from edgeshrink.core.bundle import KINDS, BundleOptions, Delivery

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


def _parts(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    parts = tuple(part for part in value.split(",") if part)
    for part in parts:
        if part not in PARTS:
            raise click.BadParameter(f"{part!r} is none of {', '.join(PARTS)}")
    return parts


def default_folder(out: Path) -> Path:
    """Beside the build, which may be called "." or ".."."""
    named = out if out.name and out.name != ".." else out.resolve()
    return named.parent / f"{out.resolve().name}-bundle"


@click.command("bundle")
@click.argument("source", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--for", "kind", type=click.Choice(KINDS), help="Kind of bundle; the build's target says when left out.")
@click.option(
    "-o", "--out", "folder", type=click.Path(path_type=Path), metavar="BUNDLE", help="Its folder. [default: OUT-bundle]"
)
@click.option("--key", type=_FILE, metavar="PRIVATE", help="Sign with this key; see `edgeshrink keys new`.")
@click.option("--keyless", is_flag=True, help="Sign with an identity that you prove online (sigstore).")
@passphrase_options
@click.option("--signer", default="", metavar="NAME", help="Who signs, in your words; the key's name when left out.")
@click.option("--name", default="", metavar="NAME", help="a-z, 0-9 and dashes; the model's when left out.")
@click.option("--version", default="1.0.0", show_default=True, help="Version of the bundle.")
@click.option("--accept-license", is_flag=True, help="Bundle although the licence forbids to pass the model on.")
@click.option("--accept-verdict", is_flag=True, help="Bundle although a line of the budget failed.")
@click.option("--archives/--no-archives", default=True, show_default=True, help="AAR, .deb, wheel, tarball.")
@click.option("--with-runner", is_flag=True, help="Put the native runner in (a Jetson's bundle always has it).")
@click.option("--runner", type=_FILE, metavar="FILE", help="The native runner, instead of one built here.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; the device's own choice if left out.")
@click.option("--application-id", default="", metavar="ID", help="Android: group of the Maven artifact, sample's id.")
@click.option(
    "--delivery",
    type=click.Choice(get_args(Delivery)),
    default="install-time",
    show_default=True,
    help="Android: when Google Play brings the AI pack.",
)
@click.option(
    "--parts",
    default="",
    callback=_parts,
    metavar="LIST",
    help=f"Android: some of {','.join(PARTS)}; all when left out.",
)
@click.option("--xcframework-url", default="", metavar="URL", help="iOS: llama.cpp's XCFramework.")
@click.option("--xcframework-checksum", default="", metavar="SHA256", help="iOS: its checksum, as SwiftPM computes it.")
@click.option("--executorch-revision", default="", metavar="COMMIT", help="iOS: commit of ExecuTorch's Swift package.")
@click.option("--python", type=_FOLDER, metavar="FOLDER", help="Jetson: a Python to bring along (bin/python3 in it).")
@click.option("--wheels", type=_FOLDER, metavar="FOLDER", help="Jetson: wheels for it, instead of the registry's.")
@click.option("--base", type=_FOLDER, metavar="BASE", help="OUT is a LoRA adapter (GGUF) of this bundle or build.")
@json_option
def command(
    source: Path,
    folder: Path | None,
    key: Path | None,
    keyless: bool,
    signer: str,
    accept_license: bool,
    accept_verdict: bool,
    base: Path | None,
    as_json: bool,
    **arguments: Any,
) -> int:
    """Bundle the build in OUT for an app: plain files, the platform's archives, licences, provenance, a signature.

    Exit codes: 0 done, 2 an error. A failed bundle leaves nothing behind.
    """
    from edgeshrink.report.progress import ProgressBars

    ask, file = arguments.pop("ask_passphrase"), arguments.pop("passphrase_file")
    seal = seal_of(key, ask, file, signer, keyless=keyless)
    options = BundleOptions(**arguments)
    folder = folder or default_folder(source)
    with ProgressBars(quiet=as_json) as listener:
        if base is not None:
            from edgeshrink.engine.adapter import bundle_adapter

            done = bundle_adapter(
                source, base, folder, options, seal=seal, accept_licence=accept_license, listener=listener
            )
        else:
            from edgeshrink.engine.bundle import bundle

            done = bundle(
                source,
                folder,
                options,
                seal=seal,
                accept_licence=accept_license,
                accept_verdict=accept_verdict,
                listener=listener,
            )
    if as_json:
        from edgeshrink.core.values import to_json

        click.echo(to_json(done).rstrip("\n"))
    else:
        from edgeshrink.report.bundle_terminal import render_bundled

        show(render_bundled(done))
    return 0
