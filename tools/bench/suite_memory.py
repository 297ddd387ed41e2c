"""Peak memory of a behaviour suite at 1x and 10x the items: it must not grow with their number. Linux.

    python tools/bench/suite_memory.py ARTIFACT [--reference MODEL] [--share 0.25] [--times 1,10] [--json FILE]

Runs `edgeshrink evaluate` with the families of the suite `quick`, each in a store of its own, at `share` of quick's
items and text times each of `times`. The peak is that of the kernel (VmHWM), read while the processes live: of the
parent, which draws and scores the items, and of the largest child, which runs a model. It counts the pages of mapped
files (the model, the stored reference), which the system takes back when it needs them; the memory of the child's own
(RssAnon) stands beside it, sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = REPOSITORY / "edgeshrink" / "evaluate" / "suites" / "quick.toml"
_EVERY_S = 0.02


def suite(factor: float) -> str:
    """`quick` as a suite file with `factor` times its items and text; one look, so that the size is what it says."""
    quick = tomllib.loads(QUICK.read_text(encoding="utf-8"))
    lines = [
        'name = "memory"',
        'extends = "quick"',
        "looks = 1",
        f"text-tokens = {max(1024, int(quick['text-tokens'] * factor))}",
    ]
    for family, table in quick["ask"].items():
        lines += [f"[ask.{family}]", f"items = {max(1, round(table['items'] * factor))}"]
    return "\n".join(lines) + "\n"


def run(artifact: Path, reference: str, factor: float) -> dict[str, Any]:
    """Peaks in bytes, seconds, and how much was asked. RuntimeError with the program's words where it failed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "suite.toml").write_text(suite(factor), encoding="utf-8")
        command = [sys.executable, "-m", "edgeshrink", "evaluate", str(artifact), "--reference", reference]
        command += ["--suite", str(folder / "suite.toml"), "--json"]
        started = time.monotonic()
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            process = subprocess.Popen(
                command, stdout=out, stderr=err, env={**os.environ, "EDGESHRINK_CACHE": str(folder / "store")}
            )
            peaks, own = dict[int, int](), dict[int, int]()
            while process.poll() is None:
                for number in tree(process.pid):
                    peaks[number] = max(peaks.get(number, 0), memory_bytes(number, "VmHWM"))
                    own[number] = max(own.get(number, 0), memory_bytes(number, "RssAnon"))
                time.sleep(_EVERY_S)
        seconds = time.monotonic() - started
        if process.returncode not in (0, 1):
            raise RuntimeError((folder / "err").read_text(encoding="utf-8", errors="replace"))
        behaviour = json.loads((folder / "out").read_text(encoding="utf-8"))["behaviour"]
        stored = sum(file.stat().st_size for file in (folder / "store").rglob("*") if file.is_file())
    return {
        "items": behaviour["items"],
        "tokens": behaviour["tokens"],
        "parent_bytes": peaks.pop(process.pid),
        "child_bytes": max(peaks.values()),
        "child_own_bytes": max(size for number, size in own.items() if number != process.pid),
        "seconds": round(seconds, 1),
        "store_bytes": stored,
    }


def tree(number: int) -> Iterator[int]:
    """The process and all below it, as far as they live."""
    yield number
    try:
        children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii").split()
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def memory_bytes(number: int, field: str) -> int:
    """A line of /proc/N/status; 0 of a process that is gone."""
    try:
        lines = Path(f"/proc/{number}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| items | text tokens | peak of the parent | of the largest child | its own | store | wall time |"]
    lines.append("|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        sizes = (row[f"{name}_bytes"] / 2**20 for name in ("parent", "child", "child_own", "store"))
        told = " | ".join((*(f"{size:.1f} MiB" for size in sizes), f"{row['seconds']:.0f} s |"))
        lines.append(f"| {row['items']:,} | {row['tokens']:,} | {told}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--reference", default=str(REPOSITORY / "edgeshrink" / "_demo"))
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--times", default="1,10")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    factors = [given.share * float(times) for times in given.times.split(",")]
    rows = [run(given.artifact, given.reference, factor) for factor in factors]
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
