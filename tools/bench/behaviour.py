"""Does the behaviour suite find what is broken, and nothing else? Four questions, a table each.

    python tools/bench/behaviour.py damage    [--seeds 5]                    # is planted damage found, by its slice?
    python tools/bench/behaviour.py untouched [--runs 20] [--suite standard] # plain Q8_0, other items each: no alarm?
    python tools/bench/behaviour.py ladder    [--schemes Q8_0,...,Q2_K]      # every slice over the demo's schemes
    python tools/bench/behaviour.py cost                                     # wall time of quick and standard

All on the demo model against its F32 reference; `--work` keeps files and answers, so that a run that was broken off
goes on. `damage` asks only the family of slices that a damage is aimed at (`--suite standard` asks all of them).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
DEMO = REPOSITORY / "edgeshrink" / "_demo"
THREADS: int | None = None
SCHEMES = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")


@dataclass(frozen=True)
class Seen:
    """What one evaluation said: slices that failed, slices that stayed unknown, seconds."""

    failed: tuple[str, ...]
    unknown: tuple[str, ...]
    passed: int
    seconds: float


def look(file: Path, suite: str, seed: int) -> Seen:
    import edgeshrink

    started = time.perf_counter()
    report = edgeshrink.evaluate(file, str(DEMO), suite=suite, seed=seed, threads=THREADS)
    lines = [line for line in report.verdict.lines if line.slice]
    return Seen(
        tuple(line.slice for line in lines if line.outcome == "FAIL"),
        tuple(line.slice for line in lines if line.outcome == "UNKNOWN"),
        sum(line.outcome == "PASS" for line in lines),
        time.perf_counter() - started,
    )


def built(work: Path, scheme: str, format: str = "gguf") -> Path:
    """The demo model in a scheme: its file, or its folder."""
    import edgeshrink

    folder = work / f"demo-{scheme}"
    report = edgeshrink.build(scheme=scheme, format=format, suite="none", out=folder)
    return folder / report.artifact.file


def damage_table(work: Path, seeds: int, whole: str | None) -> Iterator[str]:
    yield "| damage | slices aimed at: failed in | other slices that failed | untouched copy, same items |"
    yield "|---|---|---|---|"
    from tools.bench.planted import planted

    plain = {"gguf": built(work, "Q8_0"), "onnx": built(work, "int8", "onnx")}
    for index, one in enumerate(planted()):
        suite = whole or str(_written(work / f"suite-{index}.toml", f'name = "planted {index}"\n{one.suite}'))
        out = work / f"damaged-{index}{plain[one.format].suffix}"
        file = out if out.exists() else one.make(plain[one.format], out)
        hurt = [look(file, suite, seed) for seed in range(1, seeds + 1)]
        whole_copy = [look(plain[one.format], suite, seed) for seed in range(1, seeds + 1)]
        others = sorted({name for seen in hurt for name in seen.failed} - set(one.slices))
        found = [f"{name} {sum(name in seen.failed for seen in hurt)} of {seeds}" for name in one.slices]
        alarms = [name for seen in whole_copy for name in seen.failed]
        opened = [name for seen in whole_copy for name in seen.unknown]
        whole_copy_said = f"{len(alarms)} alarms, {len(opened)} undecided {' '.join(sorted(set(alarms + opened)))}"
        yield f"| {one.name} ({one.format}) | {', '.join(found)} | {', '.join(others) or 'none'} | {whole_copy_said} |"


def untouched_table(work: Path, runs: int, suite: str) -> Iterator[str]:
    yield f"| seed | passed | unknown | failed | seconds ({suite}) |"
    yield "|---|---|---|---|---|"
    file = built(work, "Q8_0")
    for seed in range(100, 100 + runs):
        seen = look(file, suite, seed)
        yield (
            f"| {seed} | {seen.passed} | {' '.join(seen.unknown) or 0} | {' '.join(seen.failed) or 0}"
            f" | {seen.seconds:.0f} |"
        )


def ladder_table(work: Path, schemes: Sequence[str], suite: str) -> Iterator[str]:
    """Slices as rows, schemes as columns: what was lost, its 95 % interval, and the gate's word."""
    import edgeshrink
    from edgeshrink.core.reading import Measured

    reports = [
        edgeshrink.evaluate(built(work, scheme), str(DEMO), suite=suite, seed=1, threads=THREADS) for scheme in schemes
    ]
    yield f"| slice | metric | {' | '.join(schemes)} |"
    yield "|---|---|" + "---|" * len(schemes)
    assert reports[0].behaviour is not None
    for one in reports[0].behaviour.slices:
        cells = []
        for report in reports:
            assert report.behaviour is not None
            other = report.behaviour.slice(one.name)
            metric = None if other is None else other.metric()
            outcome = next((line.outcome for line in report.verdict.lines if line.slice == one.name), "")
            if metric is None or not isinstance(metric.loss, Measured):
                cells.append("cannot tell")
                continue
            loss, scale = metric.loss, 100.0 if metric.unit == "share" else 1.0
            known = loss.low is not None and loss.high is not None
            span = f" ({scale * (loss.low or 0):.2g} to {scale * (loss.high or 0):.2g})" if known else ""
            mark = {"FAIL": " **FAIL**", "UNKNOWN": " ?"}.get(outcome, "")
            cells.append(f"{scale * loss.value:.2g}{span}{mark}")
        first = one.metrics[0]
        unit = "points" if first.unit == "share" else first.unit
        yield f"| {one.name} | {first.name}, {unit} | {' | '.join(cells)} |"
    sizes = [f"{report.artifact.nbytes / 2**20:.2f} MiB" for report in reports]
    yield f"| size | | {' | '.join(sizes)} |"


def cost_table(work: Path, seeds: int) -> Iterator[str]:
    """Each suite on items that are new: with the reference to be asked, and with its answers in the store. Medians of
    `seeds` runs of quick; standard is run once."""
    yield "| suite | with the reference, s | reference stored, s | peak RSS, MiB |"
    yield "|---|---|---|---|"
    q8, q4 = built(work, "Q8_0"), built(work, "Q4_K_M")
    for suite in ("quick", "standard"):
        first, again = [], []
        for seed in range(1, 1 + (seeds if suite == "quick" else 1)):
            first.append(look(q8, suite, 1000 + seed).seconds)
            again.append(look(q4, suite, 1000 + seed).seconds)
        yield f"| {suite} | {statistics.median(first):.0f} | {statistics.median(again):.0f} | {_peak_mib():.0f} |"


def _peak_mib() -> float:
    """The largest of this process and its children, so far."""
    import resource

    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def _written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("damage", "untouched", "ladder", "cost"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--suite")
    parser.add_argument("--schemes", default=",".join(SCHEMES))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    global THREADS
    THREADS = given.threads
    with tempfile.TemporaryDirectory() as scratch:
        work = (given.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        os.environ["EDGESHRINK_CACHE"] = str(work / "store")
        tables = {
            "damage": lambda: damage_table(work, given.seeds, given.suite),
            "untouched": lambda: untouched_table(work, given.runs, given.suite or "standard"),
            "ladder": lambda: ladder_table(work, given.schemes.split(","), given.suite or "standard"),
            "cost": lambda: cost_table(work, given.seeds),
        }
        for row in tables[given.question]():
            print(row, flush=True)


if __name__ == "__main__":
    main()
