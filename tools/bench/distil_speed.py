"""Distillation here against plain torch and TRL: speed, memory of the loss, size of a cache, final loss. One table.

    python tools/bench/distil_speed.py [--small] [--only speed,memory,cache,loss] [--rounds 5] [--trl PYTHON]
                                       [--books FOLDER] [--settings 12x21,16x16,24x5,0x37] [--json FILE]

speed: random models with a vocabulary of 32,000, the teacher four times the student; every loop makes the same steps,
in turn, the figure is the median over the rounds of each round's own median step. memory: of one loss and its gradient
for 4,096 tokens, each in a process of its own. loss: the demo model teaches a copy of itself whose feed-forward was
halved; the same rows, seed and schedule, from its logits, from caches of about one size (`--settings`: top x draws), by
TRL and by a plain loop; what is compared is the loss of text that none of them saw, the forward KL beside it. `--trl`:
a Python with TRL 1.16; without it its rows are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

# As every job runs (runtimes/child.py); OpenMP reads it once. TRL's process has it from here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(Path(__file__).parent)]

import distil_memory  # noqa: E402
from distil_loops import LOOPS, TRL, Setup, train, train_trl  # noqa: E402
from distil_models import DEMO, held_out, pruned_demo, random_corpus, random_llama, text_corpus  # noqa: E402

from edgeshrink.compress.distill.models import load_frozen, load_model  # noqa: E402
from edgeshrink.compress.distill.teacher_cache import job  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.cache import TeacherCache  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.settings import CacheSettings  # noqa: E402
from edgeshrink.compress.distill.teacher_cache.teller import Teller  # noqa: E402

CHECKS = ("speed", "memory", "cache", "loss")
VOCABULARY, LENGTH = 32000, 256
FIRST = 1  # steps of each run that do not count


@dataclass(frozen=True)
class Row:
    """One line of the table: `ratio` of `ours` to `other`, to be at most (`at_least`: at least) `target`."""

    check: str
    ours: str
    other: str
    ratio: float
    target: float | None = None
    at_least: bool = False

    def markdown(self) -> str:
        if self.target is None:
            return f"| {self.check} | {self.ours} | {self.other} | {self.ratio:.4f} | | |"
        met = self.ratio >= self.target if self.at_least else self.ratio <= self.target
        sign = ">=" if self.at_least else "<="
        return (
            f"| {self.check} | {self.ours} | {self.other} | {self.ratio:.4f} | {sign} {self.target:g} | "
            f"{'yes' if met else 'NO'} |"
        )


def speed(given: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    small = {"hidden": 64, "layers": 2} if given.small else {"hidden": 384, "layers": 6}
    large = {"hidden": 128, "layers": 4} if given.small else {"hidden": 768, "layers": 9}
    student, few = random_llama(scratch / "student", vocabulary=VOCABULARY, **small)
    teacher, many = random_llama(scratch / "teacher", vocabulary=VOCABULARY, **large)
    batch, steps = (2, 3) if given.small else (8, 4)
    corpus = random_corpus(scratch / "corpus", rows=batch * steps, length=LENGTH, vocabulary=VOCABULARY)
    job.write(Teller(load_frozen(teacher), CacheSettings()), corpus, scratch / "cache", lambda _: None)
    facts = TeacherCache.open(scratch / "cache").facts
    if "cache" in given.only:
        kept = f"{facts.bytes_per_token:.2f} B a token"
        yield Row("teacher cache, vocabulary 32,000", kept, "114 B", facts.bytes_per_token / 114, 1.0)
    if "speed" not in given.only:
        return
    setup = Setup(student, teacher, batch, batch, 1e-4, 1, given.threads, given.trl, scratch / "cache")
    rows = np.arange(corpus.rows)
    tokens = corpus.batch(rows)[0].astype(np.int64)
    seconds: dict[str, list[float]] = {}
    for number in range(given.rounds):
        names = [*LOOPS, *([TRL] if given.trl else [])]
        for name in names if number % 2 == 0 else reversed(names):
            took = train_trl(setup, tokens) if name == TRL else train(setup, name, tokens, rows=rows)[1]
            seconds.setdefault(name, []).append(median(took[FIRST:]))
            print(f"round {number + 1}: {name}: {seconds[name][-1]:.3f} s a step", file=sys.stderr)
    a_step = {name: median(took) for name, took in seconds.items()}
    words = {name: f"{name}: {batch * LENGTH / took:.0f} tok/s" for name, took in a_step.items()}
    cached = a_step["cached, ours"]
    print(f"student {few / 1e6:.1f} M parameters, teacher {many / few:.2f} times that", file=sys.stderr)
    for name in ("cross-entropy, ours", "cross-entropy, plain torch"):
        yield Row("step time, cached", words["cached, ours"], words[name], cached / a_step[name], 1.10)
    for name in ("online, ours", "online, plain torch", TRL):
        if name in a_step:
            ratio = a_step[name] / cached
            yield Row("speed, cached", words["cached, ours"], words[name], ratio, 1.8, at_least=True)
    for name in ("online, plain torch", TRL):
        if name in a_step:
            yield Row("speed, online", words["online, ours"], words[name], a_step[name] / a_step["online, ours"])


def memory(given: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    tokens = 1024 if given.small else 4096
    for ours, other in (("online", "online"), ("cached", "online"), ("text", "text")):
        chunked = distil_memory.peak(f"chunked {ours}", tokens, VOCABULARY)
        dense = distil_memory.peak(f"dense {other}", tokens, VOCABULARY)
        words = f"{ours}, {tokens} tokens: {chunked / 1e6:.0f} MB", f"dense {other}: {dense / 1e6:.0f} MB"
        yield Row("peak memory of the loss", *words, chunked / dense, 0.25)


def loss(given: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    batch, micro = 16, 8
    steps = 6 if given.small else given.steps
    corpus = text_corpus(given.books, scratch / "text", tokens=(steps + 1) * batch * LENGTH, length=LENGTH)
    student = pruned_demo(scratch / "pruned", keep=384)
    setup = Setup(student, DEMO, batch, micro, 1e-3, max(1, steps // 20), given.threads, given.trl)
    rows = corpus.order(0, 0)[: steps * batch]
    tokens = corpus.batch(rows)[0].astype(np.int64)
    teller = load_frozen(DEMO)

    def told(student: Any) -> tuple[float, float]:
        return held_out(student, teller, corpus)

    before = told(load_model(student))
    dense = told(train(setup, "online, ours", tokens, rows=rows)[0])
    start = f"before: KL {before[0]:.4f}, {before[1]:.4f} nats"
    yield Row("held-out loss, online", _words("ours", dense), start, dense[1] / before[1])
    found = {}
    for wanted in given.settings:
        top, draws = (int(number) for number in wanted.split("x"))
        setup.cache = scratch / f"cache-{wanted}"
        job.write(Teller(teller, CacheSettings(top=top, draws=draws)), corpus, setup.cache, lambda _: None)
        size = TeacherCache.open(setup.cache).facts.bytes_per_token
        found[f"cache {wanted}, {size:.1f} B"] = told(train(setup, "cached, ours", tokens, rows=rows)[0])
    found["plain torch"] = told(train(setup, "online, plain torch", tokens, rows=rows)[0])
    if given.trl:
        train_trl(setup, tokens, scratch / "by-trl")
        found["TRL"] = told(load_model(scratch / "by-trl"))
    for name, values in found.items():
        ours = name.startswith("cache")
        words = (_words(name, values), _words("online, ours", dense))
        yield Row("held-out loss, nats", *words, values[1] / dense[1], 1.005 if ours else None)


def _words(name: str, values: tuple[float, float]) -> str:
    return f"{name}: KL {values[0]:.4f}, {values[1]:.4f} nats"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="to see that it works: no figure means anything")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CHECKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=120, help="of the loss check, 4,096 tokens each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--trl", type=Path, help="a Python that has TRL")
    parser.add_argument("--books", type=Path, default=REPOSITORY.parent / "shared" / "data" / "text" / "books")
    parser.add_argument("--settings", type=lambda text: text.split(","), default=["12x21", "16x16", "24x5", "0x37"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = []
    print("| check | ours | against | ratio | target | met |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="edgeshrink-distil-") as scratch:
        for check, names in ((speed, {"speed", "cache"}), (memory, {"memory"}), (loss, {"loss"})):
            if names & set(given.only):
                for row in check(given, Path(scratch)):
                    rows.append(asdict(row))
                    print(row.markdown(), flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
