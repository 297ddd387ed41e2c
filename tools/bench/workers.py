"""Is a run the same on one worker and on two, and after one of the two was killed? One table.

    python tools/bench/workers.py [--steps 40] [--parallel ddp|fsdp]

The demo with a third fewer parameters learns from the demo, by the commands that a person would give: once in one
process, once under `torchrun --nproc-per-node 2` (gloo), once more with a worker killed by SIGKILL in the middle, and
the same command again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
DEMO = REPOSITORY / "edgeshrink" / "_demo"


def command(options: argparse.Namespace, out: Path) -> list[str]:
    from tools.demo.learning import write_learning_text

    text = options.work / "learn.jsonl"
    if not text.exists():
        write_learning_text(options.books, text, characters=1_500_000, seed=0)
    words = ["distill", "--teacher", DEMO, "--student", options.work / "cut", "--data", text, "--steps", options.steps]
    words += [
        "--suite",
        "none",
        "--threads",
        1,
        "--precision",
        "float32",
        "--parallel",
        options.parallel,
        "--save-every",
        10,
        "-o",
        out,
    ]
    return ["-m", "edgeshrink", *map(str, words)]


def start(words: list[str], store: Path, *, workers: int = 1) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "EDGESHRINK_CACHE": str(store)}
    head = [sys.executable]
    if workers > 1:
        head = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(workers)]
    with (store.parent / "log.txt").open("ab") as log:
        return subprocess.Popen([*head, *words], env=environment, stdout=log, stderr=log, cwd=REPOSITORY)


def finished(process: subprocess.Popen[bytes]) -> int:
    return process.wait(timeout=1800)


def kill_a_worker(process: subprocess.Popen[bytes], store: Path) -> None:
    """SIGKILL the second worker once there is a checkpoint."""
    while not any((store / "unfinished").glob("*/result/**/*.safetensors")):
        if process.poll() is not None:
            raise SystemExit("the run ended before it could be broken")
        time.sleep(0.2)
    time.sleep(2)
    found = [one for one in psutil.Process(process.pid).children(recursive=True) if _rank(one) == "1"]
    found[-1].send_signal(signal.SIGKILL)


def _rank(process: psutil.Process) -> str:
    try:
        return process.environ().get("RANK", "")
    except psutil.Error:
        return ""


def told(name: str, out: Path) -> list[str]:
    training = json.loads((out / "edgeshrink-step.json").read_text(encoding="utf-8"))["training"]
    last = training["held_out"][-1]
    resumed = f"{training['resumed']}"
    return [
        name,
        f"{training['workers']}",
        resumed,
        f"{training['steps']}",
        f"{last['objective']:.7f}",
        f"{last['cross_entropy']:.7f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, default=REPOSITORY.parent / "shared/data/text/books")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--parallel", choices=("ddp", "fsdp"), default="ddp")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    options.work = options.work or Path(tempfile.mkdtemp(prefix="edgeshrink-workers-"))
    options.work.mkdir(parents=True, exist_ok=True)
    cut = options.work / "cut"
    if not cut.exists():
        words = ["prune", DEMO, "--params", 0.667, "--scheme", "Q8_0", "--suite", "none", "-o", cut]
        assert finished(start(["-m", "edgeshrink", *map(str, words)], options.work / "store-cut")) == 0
    rows = []
    for name, workers, broken in (("one process", 1, False), ("two workers", 2, False), ("two, one killed", 2, True)):
        out, store = (
            options.work / name.replace(" ", "-").replace(",", ""),
            options.work / f"store-{name.replace(' ', '-')}",
        )
        if not out.exists():
            words = command(options, out)
            if broken:
                process = start(words, store, workers=workers)
                kill_a_worker(process, store)
                assert finished(process) != 0
                assert not out.exists()
            assert finished(start(words, store, workers=workers)) == 0
        rows.append(told(name, out))
    print("| run | workers | resumed | steps | held-out divergence, nats | held-out cross-entropy |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(f"\n{options.work}")


if __name__ == "__main__":
    main()
