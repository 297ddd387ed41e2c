"""`build --format all`: every format that the target lists, each a build of its own, and which one fits best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.report import COMPARISON_SCHEMA, Comparison, FormatOutcome
from edgeshrink.core.request import Request
from edgeshrink.core.target import Target
from edgeshrink.engine.build import build
from edgeshrink.engine.device_sessions import Confirm
from edgeshrink.engine.networks.situation import network_formats
from edgeshrink.engine.opened import network_of
from edgeshrink.engine.output import check_output
from edgeshrink.engine.situation import check_request, find_device
from edgeshrink.engine.writing import write_comparison_folder
from edgeshrink.errors import Error, UsageError
from edgeshrink.judging.choose import best_of
from edgeshrink.planning.requested import request_for


def build_all(
    request: Request,
    *,
    listener: Listener = silent,
    confirm: Confirm = lambda _question: True,
    may_install: Confirm = lambda _question: False,
) -> Comparison:
    """Build each format into a folder of its own name in `request.out`; one that fails does not lose the others.

    The Error of the first is raised where no format could be built.
    """
    network = network_of(request)
    if network is None:
        check_request(request)
    target, profile, _ = find_device(request, None)
    model = Path(request.model).name if request.model else "edgeshrink-demo"
    out = request.out or Path("edgeshrink-out") / f"{_safe(model)}-{target.id}-all"
    check_output(out, parts=tuple(target.formats))
    outcomes: list[FormatOutcome] = []
    errors: list[Exception] = []
    for name in _formats(target, network):
        asked = request if name == "gguf" or network is not None else _without_gguf_flags(request)
        one = replace(request_for(asked, name), out=out / name)
        try:
            outcomes.append(
                FormatOutcome(name, build(one, listener=listener, confirm=confirm, may_install=may_install), "")
            )
        except Error as error:
            errors.append(error)
            said = f"{error.message} ({error.hint})" if error.hint else error.message
            outcomes.append(FormatOutcome(name, None, said))
        except Exception as error:  # a bug in one format must not lose the others
            errors.append(error)
            outcomes.append(FormatOutcome(name, None, f"{type(error).__name__}: {error}"))
    if errors and all(outcome.report is None for outcome in outcomes):
        raise errors[0]
    best, why = best_of({entry.format: entry.report.verdict for entry in outcomes if entry.report is not None})
    comparison = Comparison(
        schema=COMPARISON_SCHEMA,
        version=edgeshrink.__version__,
        target=target.id,
        profile=profile.id,
        profile_name=profile.name,
        model=model,
        outcomes=tuple(outcomes),
        best=best,
        why=why,
    )
    return write_comparison_folder(comparison, out)


def _without_gguf_flags(request: Request) -> Request:
    """What was said about GGUF's types and its importance matrix is not said to the other formats."""
    return replace(request, tensor_types=(), imatrix="default", calibration=None, gpu_layers=0)


def exit_code(comparison: Comparison, *, strict: bool = False) -> int:
    """0 where the best one's lines hold; what another format lacks does not count against it. 2: one had an error."""
    if any(outcome.report is None for outcome in comparison.outcomes):
        return 2
    best = next(entry.report for entry in comparison.outcomes if entry.format == comparison.best)
    assert best is not None
    return best.verdict.exit_code(strict=strict)


def _formats(target: Target, network: NetworkSource | None) -> tuple[str, ...]:
    names = tuple(target.formats) if network is None else network_formats(target, network)
    if not names:
        raise UsageError(f"the target {target.id} has no format that takes networks", hint="see `edgeshrink targets`")
    return names


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name) or "model"
