"""`edgeshrink verify BUNDLE --key PUBLIC`: is it, byte for byte, what was built, measured and signed?"""

from __future__ import annotations

from pathlib import Path

import click

from edgeshrink.commands.options import json_option, json_text, show


@click.command("verify")
@click.argument("folder", type=click.Path(path_type=Path), metavar="BUNDLE")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="PUBLIC", help="The .pub file of who should have signed it."
)
@click.option("--identity", metavar="NAME", help="Who should have signed it without a key, such as me@example.org.")
@click.option("--issuer", metavar="URL", help="Who vouches for that identity, such as https://accounts.google.com.")
@json_option
def command(folder: Path, key: Path | None, identity: str | None, issuer: str | None, as_json: bool) -> int:
    """Prove that BUNDLE is what was signed: every file changed, added, missing, renamed or linked is named.

    The folder of a build is checked without a key, against its own manifest: that proves that it is whole, not whose
    it is. Exit codes: 0 all is as it was signed, 1 something is not, 2 it cannot be checked.
    """
    from edgeshrink.core.signature import BuildIntegrity
    from edgeshrink.engine.verify import verify
    from edgeshrink.report.progress import ProgressBars
    from edgeshrink.report.verification_terminal import render_integrity, render_verification

    with ProgressBars(quiet=as_json) as listener:
        found = verify(folder, key=key, identity=identity, issuer=issuer, listener=listener)
    if as_json:
        click.echo(json_text(found))
    elif isinstance(found, BuildIntegrity):
        show(render_integrity(found))
    else:
        show(render_verification(found))
    return 0 if found.ok else 1
