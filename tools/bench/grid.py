"""Is training for the grid of a GGUF worth it? Files of equal bytes, quantized and trained, beside the same reference.

    python tools/bench/grid.py [--steps 360] [--schemes Q4_K_M,IQ4_XS,Q3_K_M,Q2_K]

For each scheme the demo model is quantized as any build does it (with the importance matrix), and trained for the grid
of that scheme by its own full-precision self, on text of its own kind that is made here from the books in `--books`
(`tools/demo/learning.py`) and kept apart from all that is asked below. Both files are then run by llama.cpp: mean KL to
the F32 model on the shipped evaluation text, and every slice of the quick suite. Every stage is the command that a
person would give; `--work` keeps them, so that a run that was broken off goes on.

A slice is worse where its loss beside the F32 model lies above the quantized file's by more than their intervals say.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
DEMO = REPOSITORY / "edgeshrink" / "_demo"
BATCH = 1024
"""Tokens a step: every one of them tells the whole distribution of the teacher, so small steps learn more a token."""
GOALS = {"Q4_K_M": 0.4, "IQ4_XS": 0.4, "Q3_K_M": 0.6, "Q2_K": 0.6}
"""Share of the mean KL that should be gone: 40 % at 4 bits, 60 % at or below 3."""
CODES, AGREE = "trained codes", "trained and finished agree"


@dataclass(frozen=True)
class File:
    """A finished GGUF: bytes of its tensors, mean KL in nats, and for each slice its loss as (value, low, high)."""

    nbytes: int
    mean_kl: float
    losses: dict[str, tuple[float, float, float]]


def edgeshrink(*words: object, work: Path) -> None:
    """The command, with its store in `work`; what it says goes to a log there."""
    environment = {**os.environ, "EDGESHRINK_CACHE": str(work / "store")}
    command = [sys.executable, "-m", "edgeshrink", *map(str, words)]
    with (work / "log.txt").open("ab") as log:
        log.write(f"\n$ {' '.join(command[2:])}\n".encode())
        done = subprocess.run(command, env=environment, stdout=log, stderr=log, cwd=REPOSITORY, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command[2:])} ended with {done.returncode}: see {work / 'log.txt'}")


def learning_text(options: argparse.Namespace) -> Path:
    from tools.demo.learning import CHARACTERS_PER_TOKEN, write_learning_text

    file: Path = options.data or options.work / f"learn-{options.seed}-{options.steps}.jsonl"
    if not file.exists():
        characters = round(options.steps * BATCH * CHARACTERS_PER_TOKEN * 1.3)
        write_learning_text(options.books, file, characters=characters, seed=options.seed)
    return file


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def finished(said: dict[str, Any]) -> File:
    losses = {}
    for one in said["behaviour"]["slices"]:
        loss = one["metrics"][0]["loss"]
        if loss["kind"] == "measured":
            low, high = (loss["value"] if loss[end] is None else loss[end] for end in ("low", "high"))
            losses[one["name"]] = (loss["value"], low, high)
    return File(said["artifact"]["tensor_bytes"], said["quality"]["mean_kl"]["value"], losses)


def quantized(scheme: str, options: argparse.Namespace) -> File:
    out = options.work / f"quantized-{scheme}"
    if not (out / "report.json").exists():
        words = ("--suite", "quick", "--seed", options.seed, "--shrink", "never", "--threads", options.threads)
        edgeshrink("build", DEMO, "--scheme", scheme, *words, "-o", out, work=options.work)
    return finished(report(out))


def trained(scheme: str, options: argparse.Namespace) -> tuple[File, dict[str, Any], dict[str, str]]:
    """The file, the record of the training, and what the checks of its build said."""
    student, out = options.work / f"student-{scheme}-{options.steps}", options.work / f"built-{scheme}-{options.steps}"
    shared = ("--threads", options.threads)
    if not student.exists():
        told = ("--objective", "grid", "--scheme", scheme, "--data", learning_text(options), "--steps", options.steps)
        more = ("--batch-tokens", BATCH, "--seed", options.seed, "--suite", "none", *shared, *options.extra)
        edgeshrink("distill", "--student", DEMO, *told, *more, "-o", student, work=options.work)
    if not (out / "report.json").exists():
        none = ("--suite", "none", "--shrink", "never", *shared)
        edgeshrink("build", student, "--scheme", scheme, *none, "-o", out, work=options.work)
    made = report(out)
    beside = out.with_name(f"{out.name}-beside")
    if not (beside / "report.json").exists():
        lonely = options.work / f"{out.name}.gguf"
        lonely.write_bytes((out / made["artifact"]["file"]).read_bytes())
        words = ("--reference", DEMO, "--suite", "quick", "--seed", options.seed, *shared)
        edgeshrink("evaluate", lonely, *words, "-o", beside, work=options.work)
    checks = {check["name"]: f"{check['outcome']}: {check['detail']}" for check in made["quality"]["checks"]}
    record = json.loads((student / "edgeshrink-step.json").read_text(encoding="utf-8"))["training"]
    return finished(report(beside)), record, checks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, default=REPOSITORY.parent / "shared/data/text/books")
    parser.add_argument("--data", type=Path, help="text to learn from, instead of text that is made here")
    parser.add_argument("--schemes", default=",".join(GOALS))
    parser.add_argument("--steps", type=int, default=360, help=f"of {BATCH} tokens; 360 are 2.5 %% of the demo's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path)
    parser.add_argument("extra", nargs="*", help="more words for `edgeshrink distill`, behind --")
    options = parser.parse_args()
    if options.work is None:
        options.work = Path(tempfile.mkdtemp(prefix="edgeshrink-grid-"))
    options.work = options.work.absolute()
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    print("| file | tensor bytes | learnt from | minutes | mean KL quantized | trained | gone | goal | slices better, "
          "worse beyond intervals | by value |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    said: list[str] = []
    for scheme in options.schemes.split(","):
        plain, (taught, record, checks) = quantized(scheme, options), trained(scheme, options)
        if plain.nbytes != taught.nbytes:
            raise SystemExit(f"{scheme}: {plain.nbytes} bytes quantized, {taught.nbytes} trained")
        shared = sorted(plain.losses.keys() & taught.losses.keys())
        worse = [name for name in shared if taught.losses[name][1] > plain.losses[name][2]]
        better = [name for name in shared if taught.losses[name][2] < plain.losses[name][1]]
        above = [name for name in shared if taught.losses[name][0] > plain.losses[name][0]]
        below = [name for name in shared if taught.losses[name][0] < plain.losses[name][0]]
        goal = f"{GOALS[scheme]:.0%}" if scheme in GOALS else ""
        print(
            f"| {scheme} | {taught.nbytes:,} | {record['tokens']:,} tokens | {record['seconds'] / 60:.1f} "
            f"| {plain.mean_kl:.5f} | {taught.mean_kl:.5f} | {1 - taught.mean_kl / plain.mean_kl:.0%} | {goal} "
            f"| {len(better)}, {len(worse)} of {len(shared)} | {len(below)} lower, {len(above)} higher |",
            flush=True,
        )
        said += [f"{scheme}, worse beyond intervals: {', '.join(worse)}"] if worse else []
        said += [f"{scheme}, {name}: {checks.get(name, 'not there')}" for name in (CODES, AGREE)]
        for name in above:
            before, after = plain.losses[name], taught.losses[name]
            said.append(
                f"{scheme}, {name}: loss {before[0]:.4f} ({before[1]:.4f} to {before[2]:.4f}) became "
                f"{after[0]:.4f} ({after[1]:.4f} to {after[2]:.4f})"
            )
    print("\n" + "\n".join(said))
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes; {options.work}")


if __name__ == "__main__":
    main()
