"""Train, export and measure the demo model that ships with edgeshrink.

From the repository's root: `python -m tools.train_demo --run-folder /tmp/demo` (see `--help`).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer

from tools.demo.books import Book, Library, read_books
from tools.demo.bpe import train_tokenizer
from tools.demo.card import card, machine
from tools.demo.evaluate import evaluate
from tools.demo.export import export
from tools.demo.measure import book_losses, skill_scores
from tools.demo.mixture import SHARES, Mixture, draw
from tools.demo.model import Llama, Shape
from tools.demo.questions import questions
from tools.demo.samples import Sample
from tools.demo.texts import write_texts
from tools.demo.training import Plan, Trainer

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python -m tools.train_demo --run-folder RUN"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, default=ROOT.parent / "shared/data/text/books")
    parser.add_argument("--run-folder", type=Path, required=True, help="tokenizer, checkpoint, log")
    parser.add_argument("--steps", type=int, default=3600, help="of 4096 tokens")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--note", default="", help="what the card should say about this run")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--texts", type=Path, help="only write the calibration and evaluation texts there")
    instead.add_argument("--export", type=Path, help="only write the checkpoint as a Hugging Face folder there")
    instead.add_argument("--evaluate", type=Path, help="only measure that folder; write its card and log")
    return parser.parse_args()


def tokenizer_texts(library: Library, seed: int) -> Iterator[str]:
    """Book text, equal shares of the languages, and enough skills for their words to become tokens."""
    rng = random.Random(f"tokenizer/{seed}")
    for _ in range(2500):
        for kind in SHARES:
            yield Sample.parse(draw(kind, rng, library, 256)).text


def tokenizer_of(folder: Path, library: Library, size: int, seed: int) -> Tokenizer:
    """The run folder's tokenizer, trained when there is none yet."""
    path = folder / "tokenizer.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        train_tokenizer(tokenizer_texts(library, seed), size).save(str(path))
    return Tokenizer.from_file(str(path))


def trainer_of(options: argparse.Namespace, books: list[Book]) -> Trainer:
    torch.manual_seed(options.seed)
    shape = Shape()
    library = Library.of(books, "train")
    tokenizer = tokenizer_of(options.run_folder, library, shape.vocab, options.seed)
    mixture = Mixture(tokenizer, library, options.seed)
    return Trainer(Llama(shape), mixture, Plan(options.steps), options.run_folder)


def train(trainer: Trainer, heldout: Library) -> None:
    tokenizer = trainer.mixture.tokenizer
    asked = questions(heldout, 40, recalls=60, seed=7)
    trainer.run(lambda model: skill_scores(model, tokenizer, asked) | book_losses(model, tokenizer, heldout))


def measure_folder(folder: Path, trainer: Trainer, books: list[Book], options: argparse.Namespace) -> None:
    """Measure a finished folder and write its model card and training log."""
    measured = evaluate(folder, Library.of(books, "heldout"))
    print(json.dumps(measured, indent=1))
    told = {
        "seed": str(options.seed),
        "machine": machine(options.threads),
        "lengths": " -> ".join(str(length) for _, length in trainer.plan.lengths),
        "command": f"{COMMAND} --steps {options.steps} --seed {options.seed}",
        "note": options.note,
        "measure_command": f"{COMMAND} --evaluate edgeshrink/_demo",
    }
    (folder / "README.md").write_text(card(trainer.model, books, trainer.progress, measured, told), encoding="utf-8")
    shutil.copy(trainer.log_path, folder / "training_log.jsonl")


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    books = read_books(options.books)
    if options.texts:
        write_texts(books, options.texts, options.seed)
        return
    trainer = trainer_of(options, books)
    if options.resume or options.export or options.evaluate:
        trainer.resume()
    if options.export:
        export(trainer.model, trainer.mixture.tokenizer, options.export)
    elif options.evaluate:
        measure_folder(options.evaluate, trainer, books, options)
    else:
        train(trainer, Library.of(books, "heldout"))


if __name__ == "__main__":
    main()
