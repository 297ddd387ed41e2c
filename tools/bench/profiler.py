"""How far the profiler's own figures can be trusted, on this machine: one table.

    python tools/bench/profiler.py [--only memory,speed,overhead] [--megabytes 640] [--threads N] [--rounds 9]
                                   [--cache FOLDER]

memory: the runner's VmHWM, weights read (not mapped), against the smallest limit of the kernel's memory controller that
it survives (bisected; needs root). speed: its decode against llama-bench's, built from the same llama.cpp sources and
linked to the same shared libraries, in turn. overhead: its decode with 8 sensor files read at 20 Hz against without, in
turn. Speeds are medians over all rounds; a difference is the median of the rounds' own, so that a machine whose speed
drifts does not matter, but a busy one does. Under a limit the kernel may take away pages of libraries (8 MB): they are
in VmHWM and weigh more the smaller the file. The first run builds llama-bench: 10 minutes, once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import memory_limit
from llama_tools import built_tool

from edgeshrink.devices.cpu import default_threads
from edgeshrink.measure.synthetic import Shape, write_random_gguf
from edgeshrink.toolchain.runner.build import build_runner
from edgeshrink.toolchain.runner.platform import native_platform

CHECKS = ("memory", "speed", "overhead")
DEPTH, TOKENS, REPETITIONS = 128, 64, 3
SENSORS = 8
SAMPLE_MS = 50
IDLE_S = 20
Samples = Callable[[], list[float]]
_SHOWN = Path("/sys/class/net/lo/statistics")  # real sysfs attributes that every Linux has


@dataclass(frozen=True)
class Row:
    """One line of the table; `difference` is a share, to be within `target`."""

    check: str
    ours: str
    other: str
    difference: float
    target: float

    def markdown(self) -> str:
        met = "yes" if abs(self.difference) <= self.target else "NO"
        return f"| {self.check} | {self.ours} | {self.other} | {self.difference:+.2%} | {self.target:.0%} | {met} |"


def memory(runner: Path, model: Path, threads: int) -> Row:
    """VmHWM of an unlimited run against the smallest limit under which the same run ends well."""
    command = [str(runner), "bench", "--model", str(model), "--context", "512", "--threads", str(threads), "--no-mmap"]
    command += ["--prompts", "256", "--depths", "0", "--decode", "8", "--repetitions", "1"]
    seen = [event for event in spoken(command) if event["event"] == "memory"]
    peak = max(event["hwm"] for event in seen)
    limit = memory_limit.smallest(
        lambda size: memory_limit.survives(command, size), peak * 9 // 10, peak * 11 // 10, within=0.002
    )
    file = max(event["file"] for event in seen)
    return Row(
        f"peak RAM, not mapped, {model.stat().st_size / 1e6:.0f} MB file",
        f"VmHWM {peak / 1e6:.1f} MB ({file / 1e6:.1f} of it libraries)",
        f"smallest limit {limit / 1e6:.1f} MB",
        peak / limit - 1,
        0.02,
    )


def speed(runner: Path, bench: Path, model: Path, threads: int, rounds: int) -> Row:
    """Decode of our runner against llama-bench, each in turn the first."""
    ours, theirs = in_turn(lambda: decode(runner, model, threads), lambda: llama_bench(bench, model, threads), rounds)
    return Row(
        f"decode at depth {DEPTH}, {threads} threads",
        f"runner {told(ours)}",
        f"llama-bench {told(theirs)}",
        median(mine / other for mine, other in zip(ours, theirs, strict=True)) - 1,
        0.02,
    )


def overhead(runner: Path, model: Path, threads: int, rounds: int) -> Row:
    """Decode with the sampling thread against decode without."""
    watched, alone = in_turn(
        lambda: decode(runner, model, threads, watching()), lambda: decode(runner, model, threads), rounds
    )
    return Row(
        f"cost of {SENSORS} sensors at {1000 // SAMPLE_MS} Hz, {threads} threads",
        f"watched {told(watched)}",
        f"alone {told(alone)}",
        median(free / busy for busy, free in zip(watched, alone, strict=True)) - 1,
        0.01,
    )


def own_cpu(runner: Path, model: Path) -> Row:
    """What the sampling thread takes of one core, while all else rests: this stands on a busy machine, too."""

    def cpu_s(flags: Sequence[str]) -> float:
        command = [str(runner), "bench", "--model", str(model), "--context", "256", "--threads", "1"]
        process = subprocess.Popen([*command, "--idle-s", str(IDLE_S), *flags], stdout=subprocess.DEVNULL)
        _, status, use = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{command[0]} ended with status {status}")
        return use.ru_utime + use.ru_stime

    alone, watched = cpu_s([]), cpu_s(watching())
    return Row(
        f"CPU of {SENSORS} sensors at {1000 // SAMPLE_MS} Hz, share of one core",
        f"watched {1e3 * watched:.0f} ms in {IDLE_S} s",
        f"alone {1e3 * alone:.0f} ms",
        (watched - alone) / IDLE_S,
        0.01,
    )


def watching() -> list[str]:
    """The runner's options to read the sensors."""
    sensors = sorted(_SHOWN.iterdir())[:SENSORS]
    return ["--sample-ms", str(SAMPLE_MS), *(part for path in sensors for part in ("--sample", str(path)))]


def in_turn(first: Samples, second: Samples, rounds: int) -> tuple[list[float], list[float]]:
    """The median of each round of both, a b b a a b ..: neither always follows the other."""
    found: tuple[list[float], list[float]] = ([], [])
    for index in range(rounds):
        for which in (0, 1) if index % 2 == 0 else (1, 0):
            found[which].append(median((first, second)[which]()))
    return found


def decode(runner: Path, model: Path, threads: int, flags: Sequence[str] = ()) -> list[float]:
    """Tokens a second of each repetition."""
    command = [str(runner), "bench", "--model", str(model), "--context", str(DEPTH + TOKENS), "--threads", str(threads)]
    command += ["--depths", str(DEPTH), "--decode", str(TOKENS), "--repetitions", str(REPETITIONS), *flags]
    return [TOKENS / (event["to"] - event["from"]) for event in spoken(command) if event["event"] == "decode"]


def llama_bench(bench: Path, model: Path, threads: int) -> list[float]:
    """The same from llama-bench, with the settings that our runner has: mapped, flash attention, batches of 512."""
    command = [str(bench), "-m", str(model), "-p", "0", "-n", str(TOKENS), "-d", str(DEPTH), "-r", str(REPETITIONS)]
    command += ["-t", str(threads), "-b", "512", "-ub", "512", "-fa", "1", "-lm", "mmap", "-o", "json"]
    (result,) = json.loads(answer(command))
    return [float(value) for value in result["samples_ts"]]


def spoken(command: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The runner's events."""
    return (json.loads(line) for line in answer(command).splitlines())


def answer(command: Sequence[str]) -> str:
    """What a program printed; SystemExit where it failed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stdout[-400:]} {done.stderr[-400:]}")
    return done.stdout


def told(speeds: Sequence[float]) -> str:
    """The median and the middle half."""
    ordered = sorted(speeds)
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return f"{median(speeds):.2f} tok/s ({low:.2f}..{high:.2f}, {len(speeds)} rounds)"


def shape(megabytes: int) -> Shape:
    """A random Llama in Q8_0 of about that many MB."""
    one = Shape(layers=1, width=1024, ffn=2816, vocab=8192, type="Q8_0")
    layer = one.weight_bytes - Shape(layers=0, width=1024, ffn=2816, vocab=8192, type="Q8_0").weight_bytes
    layers = max(1, round((megabytes * 1e6 - one.weight_bytes) / layer) + 1)
    return Shape(layers=layers, width=1024, ffn=2816, vocab=8192, type="Q8_0")


def rows(given: argparse.Namespace, scratch: Path) -> Iterator[Row]:
    runner = build_runner(native_platform(), given.cache / "runners").path
    big, usual = scratch / "big.gguf", scratch / "usual.gguf"
    if "memory" in given.only:
        if reason := memory_limit.unavailable():
            print(f"no memory check: {reason}", file=sys.stderr)
        else:
            write_random_gguf(big, shape(given.megabytes))
            yield memory(runner, big, given.threads)
            big.unlink()
    if "speed" in given.only or "overhead" in given.only:
        write_random_gguf(usual, shape(100))
    if "speed" in given.only:
        yield speed(runner, built_tool(given.cache, "llama-bench", "llama-bench"), usual, given.threads, given.rounds)
    if "overhead" in given.only:
        yield own_cpu(runner, usual)
        yield overhead(runner, usual, given.threads, given.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CHECKS))
    parser.add_argument("--megabytes", type=int, default=640, help="size of the file of the memory check")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "edgeshrink-bench")
    given = parser.parse_args()
    print(f"load average at the beginning: {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs", file=sys.stderr)
    print("| check | ours | against | difference | target | met |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="edgeshrink-profiler-") as scratch:
        for row in rows(given, Path(scratch)):
            print(row.markdown(), flush=True)
    print(f"load average at the end: {os.getloadavg()[0]:.2f}", file=sys.stderr)


if __name__ == "__main__":
    main()
