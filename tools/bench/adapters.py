"""Three skills on one quantized base: a low-rank adapter of each beside full fine-tuning, by held-out loss. One table.

    python -m tools.bench.adapters --work W [--rank 3] [--steps 150] [--scheme Q4_K_M]

Both learn from the same text for the same steps. The adapter is trained on the base as it is rounded, and runs beside
the finished GGUF in llama.cpp; the fine-tuned model is quantized to the same scheme. Gain: how far the loss on answers
to questions that nobody saw falls below that of the quantized base; beside it, how many answers are right to the
letter. Training stays in the cache: a run that was broken
off goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from edgeshrink.core.training import LoraSettings, ObjectiveSettings, TrainingSettings  # noqa: E402
from tools.bench.adapters_skills import SKILLS, questions, write_chats  # noqa: E402
from tools.demo.chat import BEGIN, END, ask  # noqa: E402

DEMO = REPOSITORY / "edgeshrink" / "_demo"
LEARNT, HELD_OUT = 6000, 240
SHARE_OF_BASE, SHARE_OF_GAIN = 0.05, 0.9


@dataclass(frozen=True)
class Answered:
    """`loss` in nats a token of the answers; `right`: the share of answers whose every token is the likeliest."""

    loss: float
    right: float


@dataclass(frozen=True)
class Row:
    """One skill. `whole`: all weights fine-tuned, then quantized; `pair`: the quantized base with the adapter."""

    skill: str
    adapter_bytes: int
    base_bytes: int
    base: Answered
    whole: Answered
    pair: Answered

    @property
    def share_of_gain(self) -> float:
        return (self.base.loss - self.pair.loss) / (self.base.loss - self.whole.loss)

    @property
    def holds(self) -> bool:
        return self.adapter_bytes < SHARE_OF_BASE * self.base_bytes and self.share_of_gain >= SHARE_OF_GAIN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--scheme", default="Q4_K_M")
    parser.add_argument("--rank", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3, help="of full fine-tuning")
    parser.add_argument("--adapter-rate", type=float, default=1e-2)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("EDGESHRINK_CACHE", str(given.work / "cache"))
    rows = _rows(given)
    print(_table(rows, given.scheme))
    return 0 if all(row.holds for row in rows) else 1


def _rows(given: argparse.Namespace) -> list[Row]:
    adapters: dict[str, Path] = {}
    wholes: dict[str, Path] = {}
    for skill in SKILLS:
        text = _text(given, skill)
        adapters[skill] = _trained(given, text, f"{skill}", _lora(given), given.adapter_rate)
        wholes[skill] = _gguf(_built(given, _trained(given, text, f"{skill}-whole", None, given.rate), ()))
    base = _built(given, DEMO, tuple(adapters.values()))
    model, rows = _gguf(base), []
    for skill in SKILLS:
        file = base / "adapters" / f"{adapters[skill].name}.gguf"
        held_out = _held_out(given, skill)
        found = [_answered(given, held_out, *pair) for pair in ((model, None), (wholes[skill], None), (model, file))]
        rows.append(Row(skill, file.stat().st_size, model.stat().st_size, *found))
    return rows


def _lora(given: argparse.Namespace) -> LoraSettings:
    return LoraSettings(given.rank, alpha=2.0 * given.rank, scheme=given.scheme)


def _text(given: argparse.Namespace, skill: str) -> Path:
    file: Path = given.work / f"{skill}.jsonl"
    write_chats(file, list(questions(skill, LEARNT, seed=given.seed)))
    return file


def _held_out(given: argparse.Namespace, skill: str) -> list[tuple[str, str]]:
    learnt = frozenset(question for question, _ in questions(skill, LEARNT, seed=given.seed))
    return list(questions(skill, HELD_OUT, seed=given.seed + 1000, without=learnt))


def _trained(given: argparse.Namespace, text: Path, name: str, lora: LoraSettings | None, rate: float) -> Path:
    """The folder of the adapter, or of the whole model."""
    import edgeshrink
    from edgeshrink.core.shrinking_request import Teaching

    out: Path = given.work / f"{name}-{given.steps}-{rate:g}{'' if lora is None else f'-r{lora.rank}'}"
    if any((out / file).is_file() for file in ("config.json", "adapter_config.json")):
        return out
    print(f"training {out.name}", file=sys.stderr, flush=True)
    settings = TrainingSettings(steps=given.steps, batch_tokens=2048, length=128, rate=rate, seed=given.seed)
    teaching = Teaching((text,), settings, ObjectiveSettings("text"), learn="answers", lora=lora)
    edgeshrink.distill(str(DEMO), str(DEMO), out, teaching, suite="none", threads=given.threads)
    return out


def _built(given: argparse.Namespace, model: Path, adapters: tuple[Path, ...]) -> Path:
    import edgeshrink

    out: Path = given.work / f"{model.name.strip('_')}-{given.scheme}{'-with' if adapters else ''}"
    arguments = {"scheme": given.scheme, "suite": "none", "out": out, "threads": given.threads}
    edgeshrink.build(str(model), adapters=adapters, **arguments)
    return out


def _gguf(folder: Path) -> Path:
    return next(folder.glob("*.gguf"))


def _answered(given: argparse.Namespace, pairs: list[tuple[str, str]], model: Path, adapter: Path | None) -> Answered:
    """As llama.cpp computes the answers."""
    from tokenizers import Tokenizer

    from edgeshrink.runtimes.llama_cpp import load

    tokenizer = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    found: list[float] = []
    right = 0
    with load(model, context=256, threads=given.threads, adapter=adapter) as session:
        for question, answer in pairs:
            before = tokenizer.encode(BEGIN + ask(question), add_special_tokens=False).ids
            ids = before + tokenizer.encode(answer + END, add_special_tokens=False).ids
            rows = np.asarray(session.logits(ids), np.float64)[len(before) - 1 : -1]
            top = rows.max(1, keepdims=True)
            total = np.log(np.exp(rows - top).sum(1)) + top[:, 0]
            found += (total - rows[np.arange(len(rows)), ids[len(before) :]]).tolist()
            right += bool((rows.argmax(1) == ids[len(before) :]).all())
    return Answered(float(np.mean(found)), right / len(pairs))


def _table(rows: list[Row], scheme: str) -> str:
    head = f"{'skill':8} {'adapter':>9} {'of base':>8} {'base':>14} {'fine-tuned':>14} {'pair':>14} {'of the gain':>12}"
    lines = [f"loss on unseen answers, nats a token, and answers right; base and fine-tuned at {scheme}", head]
    for row in rows:
        size = f"{row.adapter_bytes / 1024:.1f} KiB"
        lines.append(
            f"{row.skill:8} {size:>9} {row.adapter_bytes / row.base_bytes:>8.2%} {_cell(row.base):>14} "
            f"{_cell(row.whole):>14} {_cell(row.pair):>14} {row.share_of_gain:>12.1%}  "
            f"{'holds' if row.holds else 'misses'}"
        )
    return "\n".join(lines)


def _cell(found: Answered) -> str:
    return f"{found.loss:.3f} {found.right:>6.1%}"


if __name__ == "__main__":
    sys.exit(main())
