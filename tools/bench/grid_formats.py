"""Trained for the grid of each format: does the file say what the model said in training, and is it nearer for it?

    python tools/bench/grid_formats.py [MODEL] --data TEXT.jsonl --work FOLDER [--schemes gguf:Q3_K_M,onnx:int4,...]
                                       [--steps 160] [--rate R] [--seed 0] [--json FILE]

For every scheme the model is trained on TEXT by its own full-precision self (forward KL), exported, and compared, as
`distill --objective grid` and `build` do it. "Fake against file": the probe, 512 held-out tokens as the rounded student
in torch saw them, against the finished file in its runtime. "Plain" and "trained": mean KL of the file to the
full-precision model on the shipped evaluation text, of equal bytes. Results stay in FOLDER: run again, it only prints.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
SCHEMES = "gguf:Q3_K_M,onnx:int4,executorch:8da4w"
_AGREEMENT = "trained and finished agree"
_FIGURES = re.compile(r"mean KL (\S+) over (\d+) tokens, .*; largest difference (\S+), at most (\S+) allowed")
HEADINGS = (
    "Format",
    "Scheme",
    "Bytes",
    "Fake against file: mean KL",
    "max \\|d\\|",
    "Plain: mean KL",
    "Trained: mean KL",
    "Less",
    "Checks",
)


def row(model: str, name: str, scheme: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both files of one scheme, and what they are worth."""
    from edgeshrink.core.events import silent
    from edgeshrink.core.request import Request
    from edgeshrink.core.shrinking_request import Teaching
    from edgeshrink.core.training import ObjectiveSettings, TrainingSettings
    from edgeshrink.engine.place import open_place
    from edgeshrink.engine.shrink.quantized import Terms, quantized
    from edgeshrink.engine.shrink.source import open_source
    from edgeshrink.engine.shrink.teaching import taught
    from edgeshrink.engine.situation import find_device
    from edgeshrink.store import Store

    request = Request(model=model, format=name, scheme=scheme, offline=True, threads=arguments.threads)
    _, profile, _ = find_device(request, None)
    store = Store()
    settings = TrainingSettings(steps=arguments.steps, batch_tokens=2048, rate=arguments.rate, seed=arguments.seed)
    teaching = Teaching(
        data=(arguments.data,), settings=settings, objective=ObjectiveSettings(kind="grid"), scheme=scheme, format=name
    )
    with store.in_use(), open_place(request, profile, silent) as place:
        source = open_source(request, store, place, silent)
        terms = Terms(source, source.workshop.situation(None), None, profile.budget)
        plain = quantized(terms, source, scheme)
        student = taught(source, source, teaching, None, heard=lambda _: None).student
        trained = quantized(terms, student, scheme)
    check = next(check for check in trained.quality.checks if check.name == _AGREEMENT)
    figures = _FIGURES.match(check.detail)
    failed = [check.name for check in trained.quality.failed_checks]
    return {
        "format": name,
        "scheme": scheme,
        "bytes": trained.artifact.nbytes,
        "plain_bytes": plain.artifact.nbytes,
        "agreement": check.detail,
        "fake_kl": None if figures is None else float(figures[1]),
        "fake_difference": None if figures is None else float(figures[3]),
        "plain_kl": plain.distance,
        "trained_kl": trained.distance,
        "checks": f"{len(trained.quality.checks) - len(failed)} of {len(trained.quality.checks)}",
        "failed": failed,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [HEADINGS, ("---",) * 2 + ("---:",) * (len(HEADINGS) - 2)]
    for found in rows:
        plain, trained = found["plain_kl"], found["trained_kl"]
        lines.append(
            (
                found["format"],
                found["scheme"],
                f"{found['bytes']:,}",
                _number(found["fake_kl"]),
                _number(found["fake_difference"]),
                _number(plain),
                _number(trained),
                f"{1 - trained / plain:.0%}" if plain and trained is not None else "-",
                found["checks"],
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default=str(REPOSITORY / "edgeshrink" / "_demo"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--schemes", default=SCHEMES)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    os.environ["EDGESHRINK_CACHE"] = str((arguments.work / "store").resolve())
    rows = []
    for wanted in arguments.schemes.split(","):
        name, _, scheme = wanted.partition(":")
        print(f"{name} {scheme} ...", file=sys.stderr, flush=True)
        rows.append(row(arguments.model, name, scheme, arguments))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
