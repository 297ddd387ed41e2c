"""Does a student come to prefer what pairs prefer, and does that cost anything else? The demo model, a table.

    python tools/bench/preference.py [--steps 80] [--seed 0] [--work FOLDER]

The preference is one of style: a story that is continued by one whole sentence and ends there is chosen over the same
continuation going on to where the passage is cut off. Passages are from the parts of the books that the demo was
trained on, in five languages, none of them asked by the suite. The demo is its own teacher; beside the pairs, where it
is anchored, stands text of its own kind. Every row is one command; agreement is counted on prompts that nobody learnt
from, and the suite says what fell beyond its interval.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
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
SENTENCE = re.compile(r".{15,160}?[.!?](?=\s)", re.DOTALL)
BEHIND = 60
"""Characters of a passage behind its first sentence, at least: else there is nothing to choose."""
LENGTH = 160
PASSAGE = 90
"""Tokens of a story with its continuation, about."""


@dataclass(frozen=True)
class Row:
    """`text` mixed in, or pairs alone."""

    name: str
    options: tuple[str, ...]
    text: bool


ROWS = (
    Row("DPO, anchored, with text", ("--preference-loss", "dpo", "--anchor", "5"), True),
    Row("IPO, anchored, with text", ("--preference-loss", "ipo", "--anchor", "5"), True),
    Row("DPO, pairs alone, no anchor", ("--preference-loss", "dpo", "--anchor", "0"), False),
)


def write_pairs(books: Path, file: Path, *, count: int, seed: int) -> None:
    """So many pairs of answers to requests for the rest of a story."""
    from tools.demo.books import Library, read_books
    from tools.demo.learning import document
    from tools.demo.skills import story

    rng = random.Random(f"preference/{seed}")
    library = Library.of(read_books(books), "train")
    with file.open("w", encoding="utf-8") as out:
        while count:
            asked, told = document(story.sample(rng, library, PASSAGE))["messages"]
            sentence = SENTENCE.match(told["content"])
            if sentence is None or len(told["content"]) < sentence.end() + BEHIND:
                continue
            pair = {"prompt": asked["content"], "chosen": sentence.group(), "rejected": told["content"]}
            out.write(json.dumps(pair, ensure_ascii=False) + "\n")
            count -= 1


def taught(row: Row, options: argparse.Namespace) -> dict[str, Any]:
    """The record of the command, which is not given again where its folder stands."""
    from tools.demo.learning import CHARACTERS_PER_TOKEN, write_learning_text

    pairs, text = options.work / f"pairs-{options.seed}.jsonl", options.work / f"text-{options.seed}.jsonl"
    if not pairs.exists():
        write_pairs(options.books, pairs, count=options.pairs, seed=options.seed)
    if not text.exists():
        characters = round(options.pairs * 2 * LENGTH * CHARACTERS_PER_TOKEN)
        write_learning_text(options.books, text, characters=characters, seed=options.seed)
    out = options.work / re.sub(r"\W+", "-", row.name)
    if not out.exists():
        command = [
            *(sys.executable, "-m", "edgeshrink", "distill", "--teacher", DEMO, "--student", DEMO),
            *("--objective", "preference", "--data", pairs, *(("--data", text) if row.text else ())),
            *("--steps", options.steps, "--length", LENGTH, "--seed", options.seed),
            *("--suite", options.suite, "--threads", options.threads, "-o", out, *row.options),
        ]
        environment = {**os.environ, "EDGESHRINK_CACHE": str(options.work / "store")}
        with (options.work / "log.txt").open("ab") as log:
            done = subprocess.run(
                [str(word) for word in command], env=environment, stdout=log, stderr=log, cwd=REPOSITORY, check=False
            )
        if done.returncode not in (0, 1):
            raise SystemExit(f"{row.name} ended with {done.returncode}: see {options.work / 'log.txt'}")
    record: dict[str, Any] = json.loads((out / "edgeshrink-step.json").read_text(encoding="utf-8"))
    return record


def has_fallen(metric: dict[str, Any]) -> bool:
    """As the command itself judges: the whole interval that gates are judged by is a loss."""
    known = metric["unit"] == "share" and metric["reference"]["kind"] == "measured"
    return known and metric["bounds"] is not None and metric["bounds"][0] > 0


def share(count: int, of: int) -> str:
    return f"{count} of {of} ({count / of:.0%})"


def told(name: str, record: dict[str, Any]) -> str:
    """A row of the table; "bits a byte": how much worse the chosen answers are read than by the demo."""
    (learnt,) = record["learnt"]
    slices = {one["name"]: one for one in record["behaviour"]["slices"]}
    kl = slices["text/general"]["metrics"][0]["candidate"]["value"]
    fell = ", ".join(one["name"] for one in slices.values() if has_fallen(one["metrics"][0])) or "none"
    agreed = share(learnt["after"], learnt["items"])
    training = record["training"]
    bits = training["held_out"][-1]["bits_per_byte"] - training["held_out"][0]["bits_per_byte"]
    minutes = training["seconds"] / 60
    return f"| {name} | {agreed} | {fell} | {kl:.4f} | {bits:+.3f} | {training['tokens']:,} | {minutes:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, default=REPOSITORY.parent / "shared/data/text/books")
    parser.add_argument("--pairs", type=int, default=1200)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--rows", type=int, default=len(ROWS), help="the first so many")
    options = parser.parse_args()
    if options.work is None:
        options.work = Path(tempfile.mkdtemp(prefix="edgeshrink-preference-"))
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    records = {row.name: taught(row, options) for row in ROWS[: options.rows]}
    (learnt,) = next(iter(records.values()))["learnt"]
    print("| student | agrees with held-out pairs | slices that fell | mean KL, general | bits a byte | tokens | min |")
    print("|---|---|---|---|---|---|---|")
    print(f"| the demo | {share(learnt['before'], learnt['items'])} | | | | | |")
    for name, record in records.items():
        print(told(name, record))
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes; {options.work}")


if __name__ == "__main__":
    main()
