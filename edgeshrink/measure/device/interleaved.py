"""Two artifacts on one device in turn, so that heat, clocks and other programs hit both alike: A B, B A, A B, ..."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeshrink.core.device import Probe
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.reading import Measured, Reading, Unmeasured
from edgeshrink.core.report import Interleaved
from edgeshrink.core.session import SessionOptions
from edgeshrink.devices.device_state import device_state
from edgeshrink.devices.transports.interface import Transport
from edgeshrink.devices.workspace import open_workspace
from edgeshrink.measure.assembly import SLEPT
from edgeshrink.measure.device.bench import Placed
from edgeshrink.measure.device.cool_down import cool_down
from edgeshrink.measure.device.events import Decode, MemoryRow, Prefill
from edgeshrink.measure.device.faults import explain, refuse_wrong_cpu
from edgeshrink.measure.device.placing import POLITE, put_artifact, put_runner, put_text, starter
from edgeshrink.measure.device.record import Record
from edgeshrink.measure.device.schedule import Schedule, schedule, threads_for
from edgeshrink.measure.statistics import median_reading, percentile
from edgeshrink.toolchain.runner.build import BuiltRunner

ROUNDS = 8
LEAST_FOR_INTERVAL = 6
"""Fewer rounds hold no 95 % interval of a median: all of 5 lie on one side of it with a chance of 2 * 0.5^5 = 6 %."""
_DEADLINE_S = 1800.0
_WARM_UP = 8


def measure_in_turn(
    transport: Transport,
    probe: Probe,
    runner: BuiltRunner,
    a: Path,
    b: Path,
    *,
    sha256: tuple[str, str],
    context: int,
    threads: int | None = None,
    gpu_layers: int = 0,
    prompt_tokens: tuple[int, ...],
    options: SessionOptions,
    leftovers: Path,
    rounds: int = ROUNDS,
    listener: Listener = silent,
) -> Interleaved:
    """`rounds` times each artifact, a fresh runner every time, one repetition; every round begins with the other one.

    Ratios are A / B of the same round; their interval is that of the median by order statistics. Arguments and errors
    as `measure_on_device`. What fails after a whole round leaves the rounds before it, with `partial` saying why;
    before that it raises.
    """
    device = probe.device
    refuse_wrong_cpu(device, runner)
    plan = schedule(options, prompt_tokens, context)
    threads = threads or threads_for(device)
    names = _apart(a.name, b.name)
    seen: tuple[list[Mapping[str, float]], list[Mapping[str, float]]] = ([], [])
    task = f"{names[0]} and {names[1]} in turn on {device.address}"
    with open_workspace(transport, keep=options.keep, leftovers=leftovers, listener=listener) as workspace:
        program = put_runner(workspace, runner, listener)
        text = put_text(workspace, max(*plan.lengths, *plan.depths, 32), listener)
        through = starter(transport.address)
        both = [
            Placed(
                workspace=workspace,
                runner=program,
                model=put_artifact(workspace, path, digest, name, listener),
                text=text,
                context=context,
                threads=threads,
                gpu_layers=gpu_layers,
                mapped=options.mapped,
                starter=through,
            )
            for path, digest, name in zip((a, b), sha256, ("a.gguf", "b.gguf"), strict=True)
        ]
        notes = cool_down(options.cool_down, lambda: device_state(transport).temperature_c, listener)
        partial = ""
        for turn in range(2 * rounds):
            which = (0, 1, 1, 0)[turn % 4]
            ended = both[which].run("bench", *_arguments(plan), deadline_s=_DEADLINE_S)
            if not ended.whole:
                early = explain(ended, device, runner, doing=f"measuring {names[which]}")
                if turn < 2:
                    raise early
                partial = early.message
                break
            seen[which].append(_figures(ended.record, plan))
            listener(Progress(task, turn + 1.0, 2.0 * rounds, "runs"))
    whole = min(map(len, seen))
    order = f"{whole} rounds, A B and B A by turns; a fresh runner and one repetition each"
    emulated = (f"{device.emulation}: on real hardware the ratios may be others",) if device.emulation else ()
    waits = (SLEPT,) if through == POLITE else ()
    stays = (workspace.left_behind,) if workspace.left_behind else ()
    return Interleaved(
        device=device.address,
        a=names[0],
        b=names[1],
        rounds=whole,
        rows=rows(seen[0][:whole], seen[1][:whole]),
        notes=(order, *emulated, *waits, *notes, *stays),
        partial=partial,
    )


def rows(
    a: Sequence[Mapping[str, float]], b: Sequence[Mapping[str, float]]
) -> tuple[tuple[str, Reading, Reading, Reading], ...]:
    """One row for each figure that every round of both has: A, B, and the ratio A / B of rounds side by side."""
    names = [name for name in a[0] if all(name in part for part in (*a, *b))] if a and b else []
    found = []
    for name in names:
        mine, other = [part[name] for part in a], [part[name] for part in b]
        one, two = (median_reading(part, how="one repetition a round", nothing="") for part in (mine, other))
        ratios = [x / y for x, y in zip(mine, other, strict=True) if y > 0]
        found.append((name, one, two, ratio_reading(ratios)))
    return tuple(found)


def ratio_reading(ratios: Sequence[float]) -> Reading:
    """The median; low and high are its 95 % interval by order statistics, which asks for no distribution. Where the
    rounds are too few for one, there is none.

    The k-th smallest and k-th largest of n bound the median but for a chance of 2 * P(Binomial(n, 1/2) < k).
    """
    if not ratios:
        return Unmeasured("no round gave both figures")
    ordered, count = sorted(ratios), len(ratios)
    if count < LEAST_FOR_INTERVAL:
        how = f"A / B within a round, median of {count}; a 95 % interval takes {LEAST_FOR_INTERVAL} rounds"
        return Measured(percentile(ordered, 50), n=count, how=how)
    k = next(k for k in range(count // 2, 0, -1) if _tail(count, k) <= 0.025)
    how = (
        f"A / B within a round, median of {count}; low/high: 95 % interval of the median by order statistics "
        f"(number {k} and {count + 1 - k} of {count})"
    )
    return Measured(percentile(ordered, 50), n=count, low=ordered[k - 1], high=ordered[count - k], how=how)


def _tail(count: int, k: int) -> float:
    """P(Binomial(count, 1/2) < k)."""
    return float(sum(math.comb(count, i) for i in range(k)) / 2**count)


def _arguments(plan: Schedule) -> tuple[str, ...]:
    prompt = str(plan.lengths[0]) if plan.lengths else ""
    return (
        *("--prompts", prompt, "--depths", str(plan.depths[0]), "--decode", str(plan.decode_tokens)),
        *("--repetitions", "1", "--warm-up", str(_WARM_UP)),
    )


def _figures(record: Record, plan: Schedule) -> dict[str, float]:
    found = {}
    if run := record.first(Decode):
        found["decode, tok/s"] = 1e3 * len(run.steps_ms) / sum(run.steps_ms)
    if prefill := record.first(Prefill):
        found[f"TTFT at {plan.lengths[0]} tokens, ms"] = prefill.ms
    if peak := max((max(row.hwm, row.rss) for row in record.all(MemoryRow)), default=0):
        found["peak RSS, bytes"] = float(peak)
    return found


def _apart(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a != b else (f"{a} (A)", f"{b} (B)")
