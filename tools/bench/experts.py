"""A small mixture of experts, five times smaller: fewer experts, healed, quantized. One table.

    python -m tools.bench.experts learn.jsonl BOOKS --work W [--model W/mixture/model] [--experts 8] [--scheme Q4_K_M]

`learn.jsonl`: tools/demo/learning.py; BOOKS: the folder of books it was made of. Without --model the mixture is trained
first (experts_model.py). Rows: the unquantized file; plain quantization of the whole at no more bytes than ours; the
same recipe with experts ranked by their rows of the router alone; ours; both not healed, too. Each as its finished GGUF
in llama.cpp:
cross-entropy by kind of text against the unquantized file's, and answers that are right to the letter. Training and
every step stay in the cache, so a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from edgeshrink.core.request import Request  # noqa: E402
from edgeshrink.core.shrinking_request import ExpertsWanted, PruneRequest, Teaching, Trains  # noqa: E402
from edgeshrink.core.training import ObjectiveSettings, TrainingSettings  # noqa: E402
from tools.bench.experts_losses import Losses, losses, rows_of  # noqa: E402
from tools.demo.mixture import SHARES  # noqa: E402

CALIBRATION_CHARACTERS = 400_000
LADDER = ("Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K")


@dataclass(frozen=True)
class Row:
    name: str
    nbytes: int
    losses: Losses


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("books", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a trained mixture")
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--expert-ffn", type=int)
    parser.add_argument("--scheme", default="Q4_K_M")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--cross-entropy", type=float, default=0.3)
    parser.add_argument("--rows", type=int, default=48, help="of 256 tokens, of each kind of text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--also", action="store_true", help="only routers healed, and types by usage")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("EDGESHRINK_CACHE", str(given.work / "cache"))
    rows = list(_rows(given))
    print(_table(rows))
    return 0 if _met(rows[0], rows[-1]) else 1


def _rows(given: argparse.Namespace) -> list[Row]:
    whole = given.model or _trained(given)
    calibration = _calibration(given)
    texts = rows_of(given.books, rows=given.rows)

    def row(name: str, file: Path) -> Row:
        found = Row(name, file.stat().st_size, losses(file, texts, threads=given.threads))
        print(name, found, file=sys.stderr, flush=True)
        return found

    def shipped(name: str, wanted: ExpertsWanted, trains: Trains | None, *, by_usage: bool = False) -> Path:
        model = _pruned(given, whole, calibration, name, wanted, trains)
        return _built(given, model, given.scheme, calibration, by_usage=by_usage)

    wanted = ExpertsWanted(given.experts, given.expert_ffn)
    by_router = replace(wanted, ranking="router", merge=False)
    ours = shipped("ours", wanted, "all")
    first = row("unquantized (F16)", _built(given, whole, "F16", calibration))
    last = row(f"ours: {given.experts} of 16 experts, healed", ours)
    plain = _plain(given, whole, ours.stat().st_size, calibration)
    found = [
        row(f"whole, {plain.stem.rpartition('-')[2]}", plain),
        row("ours, not healed", shipped("cut", wanted, None)),
        row("by the router's rows, not healed", shipped("router-cut", by_router, None)),
        row("by the router's rows, healed", shipped("router", by_router, "all")),
    ]
    if given.also:
        found.append(row("ours, only routers healed", shipped("routers", wanted, "routers")))
        found.append(row("ours, types by usage", shipped("ours", wanted, "all", by_usage=True)))
    return [first, *found, last]


def _trained(given: argparse.Namespace) -> Path:
    from tools.bench.experts_model import train_mixture

    return train_mixture(given.text, given.work / "mixture", tokens=1_310_720, seed=given.seed)


def _calibration(given: argparse.Namespace) -> Path:
    """Text of the kinds that the model is for, of another seed than what it learnt."""
    import json

    from tools.demo.learning import write_learning_text

    file: Path = given.work / "calibration.txt"
    if not file.is_file():
        lines = given.work / "calibration.jsonl"
        write_learning_text(given.books, lines, characters=CALIBRATION_CHARACTERS, seed=77)
        documents = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        file.write_text("\n".join(_spelled(one) for one in documents), encoding="utf-8")
    return file


def _spelled(document: dict[str, object]) -> str:
    """A chat as the demo's template writes it."""
    from tools.demo.chat import ASSISTANT, END, SYSTEM, USER

    turns = document.get("messages")
    if not isinstance(turns, list):
        return str(document["text"])
    marks = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
    return "".join(f"{marks[turn['role']]}{turn['content']}{END}" for turn in turns)


def _pruned(
    given: argparse.Namespace, whole: Path, calibration: Path, name: str, wanted: ExpertsWanted, trains: Trains | None
) -> Path:
    from edgeshrink.engine.shrink.prune import prune

    out: Path = given.work / f"{name}-{given.experts}-{given.expert_ffn or 'whole'}-{given.steps}"
    if (out / "config.json").is_file():
        return out
    teaching = None
    if trains is not None:
        settings = TrainingSettings(steps=given.steps, rate=given.rate, warmup=10, seed=given.seed)
        objective = ObjectiveSettings(cross_entropy=given.cross_entropy)
        teaching = Teaching((given.text,), settings, objective, trains=trains)
    request = Request(str(whole), suite="none", out=out, calibration=calibration, threads=given.threads)
    step, _ = prune(PruneRequest(request, teaching=teaching, experts=wanted))
    assert step.pruning is not None
    print(f"{name}: {step.pruning.why}", *step.pruning.considered, sep="\n  ", file=sys.stderr, flush=True)
    return out


def _built(given: argparse.Namespace, model: Path, scheme: str, calibration: Path, *, by_usage: bool = False) -> Path:
    import edgeshrink

    out: Path = given.work / f"built-{model.name}-{scheme}{'-usage' if by_usage else ''}"
    if not list(out.glob("*.gguf")):
        edgeshrink.build(
            str(model),
            scheme=scheme,
            suite="none",
            out=out,
            calibration=None if scheme == "F16" else calibration,
            imatrix="none" if scheme == "F16" else "auto",
            threads=given.threads,
            expert_types="usage" if by_usage else "mix",
        )
    return next(out.glob("*.gguf"))


def _plain(given: argparse.Namespace, whole: Path, nbytes: int, calibration: Path) -> Path:
    """The whole model in the largest scheme that takes at most `nbytes`."""
    import edgeshrink

    for scheme in LADDER:
        outlook = edgeshrink.plan(str(whole), scheme=scheme)
        assert outlook.plan is not None
        predicted = outlook.plan.predictions.artifact_bytes
        if getattr(predicted, "value", nbytes + 1) <= nbytes:
            return _built(given, whole, scheme, calibration)
    return _built(given, whole, LADDER[-1], calibration)


def _table(rows: list[Row]) -> str:
    kinds, first = tuple(SHARES), rows[0]
    asked = tuple(first.losses.answered)
    head = ["model", "bytes", "smaller", *kinds, "mean", *(f"{kind} right" for kind in asked)]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        lines.append(
            [
                row.name,
                f"{row.nbytes:,}",
                f"{first.nbytes / row.nbytes:.2f}x",
                *(_change(row.losses.entropy[kind], first.losses.entropy[kind]) for kind in kinds),
                _change(row.losses.mean, first.losses.mean),
                *(f"{row.losses.answered[kind]:.1%}" for kind in asked),
            ]
        )
    told = "cross-entropy, nats a token, by kind of text; in brackets against the unquantized file"
    return "\n".join((told, "", *(f"| {' | '.join(line)} |" for line in lines)))


def _change(value: float, whole: float) -> str:
    return f"{value:.4f} ({value / whole - 1:+.1%})"


def _met(whole: Row, ours: Row) -> bool:
    """At least five times smaller, and no more than 2 % worse on any kind of text."""
    worst = max(ours.losses.entropy[kind] / whole.losses.entropy[kind] for kind in whole.losses.entropy)
    return whole.nbytes >= 5 * ours.nbytes and worst <= 1.02


if __name__ == "__main__":
    sys.exit(main())
