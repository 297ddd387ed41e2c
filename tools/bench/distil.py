"""Is a pruned and taught model worth it? Two questions about the demo model, a table each.

    python tools/bench/distil.py students    [--steps 180] # a third fewer parameters: bits per byte of held-out text
    python tools/bench/distil.py equal-bytes [--steps 180] # prune + distil + quantize beside quantizing, at equal bytes

The text to learn from is made here, of the demo's own kind (`tools/demo/learning.py`, from the books in
`--books`): other passages of the parts of the books that the demo was trained on, other samples. What is measured on is
the shipped evaluation text, which no model here was trained on, read by transformers: nats of all its tokens over the
bytes they stand for. Every stage is the command that a person would give; `--work` keeps them, so that a run that was
broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
DEMO = REPOSITORY / "edgeshrink" / "_demo"
TEXTS = REPOSITORY / "edgeshrink" / "_texts"
BATCH = 4096
TEACHER_TOKENS = 14_745_600
"""That the demo was trained on, by its card."""
WINDOW = 512
READ = """
name = "read"
reading = ["text"]
text-tokens = 2048
text = [{ label = "general" }, { label = "en" }, { label = "de" }, { label = "es" }, { label = "fr" }, { label = "it" }]
"""


@dataclass(frozen=True)
class Row:
    """One model: `tokens` it learnt from, `minutes` of that; bits per byte of the mixed text and of the books alone."""

    name: str
    parameters: int
    tokens: int
    minutes: float
    mixed: float
    books: float


def edgeshrink(*words: object, work: Path) -> None:
    """The command, with its store in `work`; what it says goes to a log there."""
    environment = {**os.environ, "EDGESHRINK_CACHE": str(work / "store")}
    command = [sys.executable, "-m", "edgeshrink", *map(str, words)]
    with (work / "log.txt").open("ab") as log:
        log.write(f"\n$ {' '.join(command[2:])}\n".encode())
        done = subprocess.run(command, env=environment, stdout=log, stderr=log, cwd=REPOSITORY, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command[2:])} ended with {done.returncode}: see {work / 'log.txt'}")


def bits_per_byte(folder: Path, files: Sequence[Path]) -> float:
    """Of all tokens of `files` but each window's first, in windows of WINDOW tokens, float32."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    nats, count = 0.0, 0
    with torch.inference_mode():
        for file in files:
            encoding = tokenizer.encode(file.read_text(encoding="utf-8"), add_special_tokens=False)
            text = file.read_text(encoding="utf-8")
            for first in range(0, len(encoding.ids) - 1, WINDOW):
                ids = torch.tensor(encoding.ids[first : first + WINDOW])[None]
                logits = model(ids).logits[0, :-1].float()
                nats += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
                spans = encoding.offsets[first + 1 : first + WINDOW]
                count += sum(len(text[begin:end].encode()) for begin, end in spans)
    return nats / math.log(2) / count


def parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "np") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def row(name: str, folder: Path, tokens: int = 0, minutes: float = 0.0) -> Row:
    mixed = bits_per_byte(folder, [TEXTS / "evaluation.txt"])
    books = bits_per_byte(folder, [TEXTS / f"{language}.txt" for language in ("en", "de", "es", "fr", "it")])
    found = Row(name, parameters(folder), tokens, minutes, mixed, books)
    print(f"  {name}: {mixed:.4f} bits per byte", file=sys.stderr)
    return found


def scratch(like: Path, folder: Path, seed: int) -> Path:
    """The same shape with random weights, as transformers draws them."""
    import shutil

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "edgeshrink-step.json"))
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(like))
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


def learning_text(options: argparse.Namespace) -> Path:
    from tools.demo.learning import CHARACTERS_PER_TOKEN, write_learning_text

    file = options.work / f"learn-{options.seed}-{options.steps}.jsonl"
    if not file.exists():
        characters = round(options.steps * BATCH * CHARACTERS_PER_TOKEN * 1.3)
        write_learning_text(options.books, file, characters=characters, seed=options.seed)
    return file


def made(folder: Path, options: argparse.Namespace, *words: object) -> Path:
    """The folder that a command of ours writes, unless it stands there already."""
    if not folder.exists():
        edgeshrink(*words, "-o", folder, "--suite", "none", "--threads", options.threads, work=options.work)
    return folder


def taught(student: Path, name: str, options: argparse.Namespace, *words: object) -> Row:
    """`student` after the run, by its own record."""
    out = options.work / name.replace(" ", "-").replace(",", "")
    data = ("--data", learning_text(options), "--steps", options.steps, "--seed", options.seed)
    made(out, options, "distill", "--teacher", DEMO, "--student", student, *data, *words)
    training = json.loads((out / "edgeshrink-step.json").read_text(encoding="utf-8"))["training"]
    return row(name, out, training["tokens"], training["seconds"] / 60)


def students(options: argparse.Namespace) -> None:
    prune = ("prune", DEMO, "--scheme", "Q8_0")
    cut = made(options.work / "cut", options, *prune, "--params", 2 / 3)
    shallow = made(options.work / "shallow", options, *prune, "--params", 0.69, "--method", "block-influence")
    blank = options.work / "blank"
    if not blank.exists():
        scratch(cut, blank, options.seed)
    rows = [
        row("teacher", DEMO, TEACHER_TOKENS),
        row("pruned, not taught", cut),
        taught(cut, "pruned, then taught", options),
        taught(cut, "pruned, then taught from a cache", options, "--cached"),
        taught(blank, "from scratch on the same text", options, "--cross-entropy", 1),
        row("layers dropped, not taught", shallow),
        taught(shallow, "layers dropped, then taught", options),
    ]
    teacher = rows[0]
    print("| model | parameters | tokens learnt from | minutes | bits per byte | beside the teacher | of books alone |")
    print("|---|---|---|---|---|---|---|")
    for one in rows:
        share = f"{one.parameters:,} ({one.parameters / teacher.parameters:.1%})"
        learnt = f"{one.tokens:,} ({one.tokens / teacher.tokens:.1%})" if one.tokens else ""
        minutes = f"{one.minutes:.1f}" if one.minutes else ""
        print(
            f"| {one.name} | {share} | {learnt} | {minutes} | {one.mixed:.4f} | {one.mixed / teacher.mixed - 1:+.2%} "
            f"| {one.books:.4f} ({one.books / teacher.books - 1:+.2%}) |"
        )


def equal_bytes(options: argparse.Namespace) -> None:
    """Quantized files of the teacher and of a student, sorted by size: mean KL to the unquantized teacher."""
    cut = made(options.work / "cut-256", options, "prune", DEMO, "--scheme", "Q4_K_M", "--params", 0.61)
    taught(cut, "student", options)
    student = options.work / "student"
    plain = [(scheme, DEMO, scheme) for scheme in ("Q2_K", "Q3_K_M")]
    plain += [(f"{scheme}, embeddings too", DEMO, scheme) for scheme in ("Q2_K", "Q3_K_M")]
    small = [(f"student {scheme}", student, scheme) for scheme in ("Q2_K", "Q3_K_M", "Q4_K_M")]
    small += [(f"student {scheme}, embeddings too", student, scheme) for scheme in ("Q2_K", "Q3_K_M", "Q4_K_M")]
    rows = []
    for name, model, scheme in (*plain, *small):
        out = options.work / f"built-{name.replace(' ', '-').replace(',', '')}"
        rows.append((name, *quantized(model, scheme, out, options, small="embeddings" in name)))
    print(
        "| file | tensor bytes | bits per weight of the teacher | mean KL | same top token | perplexity ratio | books |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, nbytes, kl, same, ratio, books in sorted(rows, key=lambda one: one[1]):
        bits = 8 * nbytes / parameters(DEMO)
        print(f"| {name} | {nbytes:,} | {bits:.2f} | {kl:.4f} | {same:.1%} | {ratio:.3f} | {books:.4f} |")


def quantized(
    model: Path, scheme: str, out: Path, options: argparse.Namespace, *, small: bool
) -> tuple[int, float, float, float, float]:
    """Tensor bytes; mean KL to the teacher in nats, share of equal top tokens and perplexity ratio on the evaluation
    text; the mean of the mean KLs on the books in five languages.

    `small`: the embedding table, which is the output matrix too, in the scheme's own type instead of Q6_K.
    """
    own = {"Q2_K": "Q2_K", "Q3_K_M": "Q3_K", "Q4_K_M": "Q4_K"}[scheme]
    types = ("--tensor-type", f"token_embd={own}") if small else ()
    if not out.exists():
        edgeshrink(
            "build", model, "--scheme", scheme, *types, "--suite", "none", "--shrink", "never", "-o", out,
            work=options.work,
        )  # fmt: skip
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    reference = out.parent / f"{out.name}-beside-teacher"
    if not reference.exists():
        file = out / report["artifact"]["file"]
        suite = options.work / "read.toml"
        suite.write_text(READ, encoding="utf-8")
        lonely = options.work / f"{out.name}.gguf"
        if not lonely.exists():
            lonely.write_bytes(file.read_bytes())
        edgeshrink(
            "evaluate", lonely, "--reference", DEMO, "--suite", suite, "--seed", options.seed, "-o", reference,
            work=options.work,
        )  # fmt: skip
    said = json.loads((reference / "report.json").read_text(encoding="utf-8"))
    figures = [said["quality"][name]["value"] for name in ("mean_kl", "same_top_share", "perplexity_ratio")]
    slices = [one for one in said["behaviour"]["slices"] if one["name"] not in ("text/general",)]
    books = sum(one["metrics"][0]["candidate"]["value"] for one in slices) / len(slices)
    return report["artifact"]["tensor_bytes"], figures[0], figures[1], figures[2], books


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("students", "equal-bytes"))
    parser.add_argument("--books", type=Path, default=REPOSITORY.parent / "shared/data/text/books")
    parser.add_argument("--steps", type=int, default=180, help=f"of {BATCH} tokens; 180 are 5 %% of the demo's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    if options.work is None:
        options.work = Path(tempfile.mkdtemp(prefix="edgeshrink-distil-"))
    options.work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    {"students": students, "equal-bytes": equal_bytes}[options.question](options)
    print(f"\n{(time.perf_counter() - began) / 60:.1f} minutes; {options.work}")


if __name__ == "__main__":
    main()
