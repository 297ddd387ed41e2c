"""`edgeshrink compare A B`: did B get worse, and by more than noise and the gates allow?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeshrink.commands.options import json_option, request_of, show, strict_option, target_options
from edgeshrink.commands.ranges import FiniteRange
from edgeshrink.commands.suite_options import suite_options


@click.command("compare")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A [B]")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="A report.json: in place of A, or, beside A and B, what exchange rates are paid against.",
)
@suite_options
@click.option(
    "--tolerance",
    type=FiniteRange(min=0, max=1000),
    default=5.0,
    show_default=True,
    metavar="PERCENT",
    help="How much larger, slower or hungrier B may be.",
)
@click.option("--device", default="local", show_default=True, metavar="DEVICE", help="Where both are measured in turn.")
@click.option("--rounds", type=click.IntRange(0, 200), default=8, show_default=True, help="Of that; 0: do not measure.")
@click.option("--delegate", metavar="NAME", help="Backend to run with; the CPU's when left out.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to run with; all physical cores when left out.")
@target_options
@strict_option
@json_option
def command(
    files: tuple[Path, ...],
    baseline: Path | None,
    tolerance: float,
    device: str,
    rounds: int,
    strict: bool,
    as_json: bool,
    **arguments: Any,
) -> int:
    """What B lost or gained against A, in quality slice by slice, size, speed and memory. Made for a CI job.

    A and B are artifacts, folders of builds, or report.json files. Two artifacts answer the items of a suite (quick,
    unless --suite names another) and are measured in turn; two reports are compared by what they hold. Noise is no
    regression. Exit codes: 0 no regression, 1 a regression beyond noise and what the gates allow (--strict: or one
    that cannot be ruled out), 2 an error.
    """
    from edgeshrink.engine.compare import HowCompared, compare, paths_of
    from edgeshrink.engine.fleet import addresses_of
    from edgeshrink.errors import UsageError
    from edgeshrink.report.progress import ProgressBars

    a, b = paths_of(files, baseline)
    addresses = addresses_of((device,))
    if len(addresses) != 1:
        raise UsageError(f"two artifacts are compared on one device, not on {len(addresses)}", hint="name one")
    if rounds and rounds < 6:
        raise UsageError(f"{rounds} rounds hold no interval", hint="6 or more; 0 does not measure")
    how = HowCompared(addresses[0], rounds, tolerance, baseline if len(files) == 2 else None)
    request = request_of(None, arguments)
    with ProgressBars(quiet=as_json) as listener:
        compared = compare(a, b, request, how, listener=listener)
    if as_json:
        from edgeshrink.report.json import compared_to_json

        click.echo(compared_to_json(compared).rstrip("\n"))
    else:
        from edgeshrink.report.compared_terminal import render_compared

        show(render_compared(compared))
    return compared.exit_code(strict=strict)
