"""Does a student learn when to call a tool, and when a passage does not hold the answer? One table, the demo model.

    python tools/bench/tool_policy.py [--steps 100] [--seeds 0 1 2] [--work FOLDER]

For each seed: near-miss pairs are made (tools/bench/policy_pairs.py), a fifth of them held out, and the demo model with
two thirds of its feed-forward channels cut away learns from the same rows, in the same order and as many steps, once by
`--objective logits` on the answers alone and once by `--objective tool-policy`. A decision is wrong where the tokens
that open a call (a refusal) are likelier together than all others, and should not be, or the other way about.
`--mixed` adds logits with half cross-entropy of the text. `--work` keeps corpora and students: a run that was broken
off goes on, and the table is printed of what is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from edgeshrink.compress.corpus.corpus import Corpus  # noqa: E402
from edgeshrink.compress.corpus.decision_files import (  # noqa: E402
    DECISIONS,
    OPENINGS,
    decision_line,
    read_decisions,
)
from edgeshrink.compress.corpus.decisions import build_decisions  # noqa: E402
from edgeshrink.compress.corpus.material import Material  # noqa: E402
from edgeshrink.compress.distill.deciding import Decided, decide, decided_of  # noqa: E402
from edgeshrink.compress.distill.objectives import BUILD  # noqa: E402
from edgeshrink.compress.distill.objectives.parameters import Parameters  # noqa: E402
from edgeshrink.compress.training.launch import train  # noqa: E402
from edgeshrink.compress.training.order import TrainingOrder  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings, TrainingSettings  # noqa: E402
from tools.bench.distil_models import DEMO, pruned_demo  # noqa: E402
from tools.bench.policy_pairs import KINDS, write_pairs  # noqa: E402

CHANNELS = 256
ROWS = 16  # a step
LONGEST = 128
LOGITS, POLICY, MIXED = "logits alone", "tool-policy", "logits, half cross-entropy"
OBJECTIVES = {
    LOGITS: ObjectiveSettings(kind="logits", decision_weight=1),
    POLICY: ObjectiveSettings(kind="tool-policy"),
    MIXED: ObjectiveSettings(kind="logits", cross_entropy=0.5, decision_weight=1),
}


def corpus(options: argparse.Namespace, seed: int, weight: int) -> Path:
    """The same rows whatever the weight."""
    folder: Path = options.work / f"corpus-{options.pairs}-{seed}-{weight}"
    if not (folder / "corpus.json").exists():
        file = write_pairs(options.work / f"pairs-{seed}.jsonl", tuple(KINDS), pairs=options.pairs, seed=seed)
        build_decisions(
            Material((file,), DEMO, held_out=0.2, seed=seed), folder, length=LONGEST, decision_weight=weight
        )
    return folder


def of_kind(options: argparse.Namespace, seed: int, kind: str) -> Path:
    """The held-out decisions of one kind, as a folder that `decide` reads."""
    whole = corpus(options, seed, OBJECTIVES[POLICY].decision_weight)
    folder = whole / kind.replace(" ", "_")
    folder.mkdir(exist_ok=True)
    shutil.copyfile(whole / OPENINGS, folder / OPENINGS)
    lines = [decision_line(one) for one in read_decisions(whole) if str(one.pair).startswith(kind)]
    (folder / DECISIONS).write_text("".join(lines), encoding="utf-8")
    return folder


def taught(student: Path, name: str, options: argparse.Namespace, seed: int) -> Path:
    """`student` after the run, whose folder is kept."""
    objective = OBJECTIVES[name]
    data = corpus(options, seed, objective.decision_weight)
    length = Corpus.open(data).length
    settings = TrainingSettings(
        steps=options.steps, batch_tokens=ROWS * length, length=length, seed=seed, held_out_every=10**6
    )
    parameters = Parameters(objective, teacher=DEMO, seed=seed).json()
    order = TrainingOrder(student, data, BUILD, parameters, settings, objective, threads=options.threads)
    out: Path = options.work / f"{name.replace(' ', '-').replace(',', '')}-{options.pairs}-{options.steps}-{seed}"
    train(order, out)
    return out / "model"


def decisions(model: Path, name: str, options: argparse.Namespace, seed: int, kind: str) -> Decided:
    """Of the held-out pairs of one kind."""
    file = options.work / "decided" / f"{name}-{kind}-{options.pairs}-{options.steps}-{seed}.json".replace(" ", "_")
    if not file.exists():
        found = decide(model, of_kind(options, seed, kind), threads=options.threads)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(found.json), encoding="utf-8")
    return decided_of(json.loads(file.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Row:
    """`wrong` decisions of `items`; the first sides' (shy) and the second ones' (eager) apart; pairs right of all."""

    model: str
    kind: str
    seed: int
    items: int
    wrong: int
    eager: int
    shy: int
    pairs: int
    right: int


def rows(options: argparse.Namespace) -> Iterator[Row]:
    student = options.work / f"student-{CHANNELS}"
    if not student.exists():
        pruned_demo(student, keep=CHANNELS)
    named = [POLICY, LOGITS, *([MIXED] if options.mixed else [])]
    for seed in options.seeds:
        models = {"teacher": DEMO, "student before": student}
        models |= {name: taught(student, name, options, seed) for name in named}
        for name, model in models.items():
            for kind in KINDS:
                yield row(name, kind, seed, decisions(model, name, options, seed, kind))


def row(name: str, kind: str, seed: int, found: Decided) -> Row:
    due = [counts for side, counts in found.cases.items() if side in ("call", "answer")]
    other = [counts for side, counts in found.cases.items() if side in ("text", "refusal")]
    shy, eager = (sum(wrong for _, wrong in counts) for counts in (due, other))
    items = sum(count for count, _ in (*due, *other))
    pairs, right = (sum(counts) for counts in zip(*found.pairs.values(), strict=True))
    made = Row(name, kind, seed, items, shy + eager, eager, shy, pairs, right)
    print(f"  seed {seed}, {name}, {kind}: {made.wrong} of {items}", file=sys.stderr, flush=True)
    return made


def table(found: Sequence[Row]) -> None:
    print("| seed | model | wrong decisions | too eager | too shy | pairs right |", end="")
    print("".join(f" {kind} |" for kind in KINDS))
    print("|---|---|---|---|---|---|" + "---|" * len(KINDS))
    for (seed, model), some in groupby(found, key=lambda one: (one.seed, one.model)):
        kinds = list(some)
        wrong, items, pairs = (sum(getattr(one, name) for one in kinds) for name in ("wrong", "items", "pairs"))
        eager, shy, right = (sum(getattr(one, name) for one in kinds) for name in ("eager", "shy", "right"))
        each = "".join(f" {one.wrong} of {one.items} |" for one in kinds)
        share = f"{wrong} of {items} ({wrong / items:.1%})"
        print(f"| {seed} | {model} | {share} | {eager} | {shy} | {right} of {pairs} |{each}")
    totals = Counter[str]()
    for one in found:
        totals[one.model] += one.wrong
    print(f"\nwrong decisions of all seeds, {POLICY} beside {LOGITS}: {totals[POLICY]} / {totals[LOGITS]}"
          f" = {totals[POLICY] / max(1, totals[LOGITS]):.2f} (goal: 0.5 at most)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help=f"of {ROWS} cases")
    parser.add_argument("--pairs", type=int, default=150, help="of each kind")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    if options.work is None:
        options.work = Path(tempfile.mkdtemp(prefix="edgeshrink-policy-"))
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    table(list(rows(options)))
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes; {options.work}")


if __name__ == "__main__":
    main()
