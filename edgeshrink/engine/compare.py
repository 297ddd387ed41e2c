"""The verb `compare`: what B lost or gained against A in quality, size, speed and memory, noise considered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import edgeshrink
from edgeshrink.core.behaviour import Behaviour
from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.compared import COMPARED_SCHEMA, Compared, ComparedRow
from edgeshrink.core.device import Address
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.reading import Unmeasured
from edgeshrink.core.request import Request
from edgeshrink.devices.cpu import default_threads
from edgeshrink.engine.artifacts import Found, trained_context
from edgeshrink.engine.compared_side import Given, apart, given, read_report
from edgeshrink.engine.in_turn import profile_in_turn
from edgeshrink.engine.situation import find_device
from edgeshrink.engine.suite.chosen import NONE, chosen_suite
from edgeshrink.engine.suite.examination import Examination, Side
from edgeshrink.engine.suite.of_build import LONGEST
from edgeshrink.engine.suite.run import run_suite
from edgeshrink.errors import ToolMissing, UsageError
from edgeshrink.evaluate.subject import Subject
from edgeshrink.judging.behaviour import gate_lines, slice_lines
from edgeshrink.judging.compared import gains_of, quality_rows, ratio_rows, size_row
from edgeshrink.judging.difference import difference, same_items
from edgeshrink.judging.gains import Gains, gains_over
from edgeshrink.judging.gate_words import with_gates
from edgeshrink.judging.reported import session_rows
from edgeshrink.planning.requested import default_delegate
from edgeshrink.store import Store

SUITE = "quick"


@dataclass(frozen=True, slots=True)
class HowCompared:
    """`rounds` 0: no session is held. `tolerance`: percent that B may be larger, slower or hungrier."""

    address: Address
    rounds: int
    tolerance: float
    baseline: Path | None = None
    """A report whose figures exchange rates are paid against, in place of A's."""


def compare(a: Path, b: Path, request: Request, how: HowCompared, *, listener: Listener = silent) -> Compared:
    """Rows of B against A, judged by the gates of the profile and of `request`.

    Where both reports have a suite's figures and no suite is asked for, these are compared; else the suite is run on
    both artifacts, item by item, with A as the reference. UsageError where neither can be done.
    """
    _, profile, _ = find_device(request, None)
    floor = with_gates(profile.budget.quality, request.gates)
    store = Store()
    with store.in_use():
        first, second = given(a, store, listener), given(b, store, listener)
        told = apart(first.told, second.told)
        behaviour, quality = _behaviour(first, second, request, floor, store, listener)
    rows, device, notes = _device_rows(first, second, request, how, listener)
    rows = (size_row(told[0].nbytes, told[1].nbytes, how.tolerance), *rows)
    gains = _gains(first, second, rows, how)
    lines = gate_lines(floor, behaviour, gains)
    of_slices: tuple[ComparedRow, ...] = ()
    if isinstance(behaviour, Behaviour):
        of_slices = tuple(quality_rows(behaviour, slice_lines(floor, behaviour)))
        notes = (*notes, *behaviour.notes)
    shown = {(row.name, row.metric) for row in of_slices}
    return Compared(
        schema=COMPARED_SCHEMA,
        version=edgeshrink.__version__,
        a=told[0],
        b=told[1],
        quality=quality,
        device=device,
        rows=(*of_slices, *rows),
        gates=tuple(line for line in lines if (line.slice, line.metric) not in shown),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes, *notes))),
    )


def _behaviour(
    a: Given, b: Given, request: Request, floor: QualityFloor, store: Store, listener: Listener
) -> tuple[Behaviour | Unmeasured, str]:
    """B with A as its reference, and how that came about."""
    if request.suite == NONE:
        return Unmeasured("no suite was asked for"), "not compared: --suite none"
    if a.network or b.network:
        return Unmeasured("networks generate no text"), "not compared: a network generates no text"
    if a.behaviour is not None and b.behaviour is not None and request.suite is None:
        same = same_items(a.behaviour, b.behaviour)
        items = "the same items of one seed" if same else "items of their own"
        asked = " and ".join(dict.fromkeys((a.behaviour.suite, b.behaviour.suite)))
        how = f"suite {asked} as the reports have it, {items}; taken as independent"
        return difference(a.behaviour, b.behaviour), how
    if a.found is None or b.found is None:
        alone = " and ".join(name for name, side in (("A", a), ("B", b)) if side.found is None)
        untold = " and ".join(name for name, side in (("A", a), ("B", b)) if side.behaviour is None)
        why = f"; of {untold} there is no report with a suite's figures" if untold else ""
        raise UsageError(
            f"no suite can be run: {alone} {'are reports' if 'and' in alone else 'is a report'} without the artifact"
            + why,
            hint="name artifacts, build folders, or reports of `build` or `evaluate`; --suite none compares the rest",
        )
    behaviour = run_suite(_examination(a, b, (a.found, b.found), request, floor, store, listener))
    return (
        behaviour,
        f"suite {behaviour.suite}, seed {behaviour.seed}: both answered the same items, A is the reference",
    )


def _examination(
    a: Given,
    b: Given,
    found: tuple[Found, Found],
    request: Request,
    floor: QualityFloor,
    store: Store,
    listener: Listener,
) -> Examination:
    suite = chosen_suite(replace(request, suite=request.suite or SUITE))
    assert suite is not None
    sides = []
    for side, one in zip((a, b), found, strict=True):
        delegate = request.delegate or default_delegate(one.format)
        sides.append(Side(Subject(one.path, one.runtime, delegate), side.told.sha256, side.told.name))
    return Examination(
        suite=suite,
        reference=sides[0],
        candidate=sides[1],
        floor=floor,
        seed=request.seed,
        context=min(request.context or LONGEST, *(trained_context(one) for one in found)),
        threads=request.threads or default_threads(),
        run=lambda step: store.run(step, listener),
        listener=listener,
    )


def _device_rows(
    a: Given, b: Given, request: Request, how: HowCompared, listener: Listener
) -> tuple[tuple[ComparedRow, ...], str, tuple[str, ...]]:
    """Rows, how they came about, notes. In turn where both are GGUF files at hand, else from the two reports."""
    both = [side.found for side in (a, b) if side.found is not None and side.found.format == "gguf"]
    if how.rounds and len(both) == 2:
        try:
            seen = profile_in_turn(
                both[0].path, both[1].path, request, how.address, rounds=how.rounds, listener=listener
            )
        except ToolMissing as missing:
            hint = f" ({missing.hint})" if missing.hint else ""
            return (), f"not compared: {missing.message}{hint}", ()
        rows = tuple(ratio_rows(seen.rows, how.tolerance))
        early = (f"the session ended early: {seen.partial}",) if seen.partial else ()
        return rows, f"in turn on {seen.device}, {seen.rounds} rounds", (*seen.notes, *early)
    if a.report is not None and b.report is not None:
        rows = tuple(session_rows(a.measurements, b.measurements, how.tolerance))
        if isinstance(a.measurements, Unmeasured) or isinstance(b.measurements, Unmeasured):
            return rows, "not compared: a report has no session", ()
        return rows, "as both reports have it: one session each, at different times", ()
    if not how.rounds:
        return (), "not compared: --rounds 0", ()
    return (), "not compared: two GGUF files are measured in turn, others by their reports", ()


def _gains(a: Given, b: Given, rows: tuple[ComparedRow, ...], how: HowCompared) -> Gains:
    if how.baseline is not None:
        return gains_over(read_report(how.baseline), b.told.nbytes, b.measurements)
    return gains_of(rows, a.told.name)


def paths_of(files: tuple[Path, ...], baseline: Path | None) -> Iterator[Path]:
    """A and B: with one FILE, the baseline is A. UsageError where there are not two."""
    if len(files) == 1 and baseline is not None:
        yield baseline
    elif len(files) != 2:
        raise UsageError(
            f"{'one file is' if len(files) == 1 else f'{len(files)} files are'} no comparison",
            hint="edgeshrink compare OLD NEW, or NEW --baseline report.json",
        )
    yield from files
