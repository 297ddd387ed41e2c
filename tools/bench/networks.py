"""A network in float and int8, as ONNX and .pte: bytes, score, and one run's time, float and int8 turn by turn.

    python tools/bench/networks.py package.module:function --calibration FOLDER [--threads 1] [--rounds 300]

Each row is two whole `edgeshrink.build`s (fp32 and int8) with the same samples; "faster" is the float file's median
time over the int8 file's, both open in one process and run in turn.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import edgeshrink
from edgeshrink.engine.artifacts import find_artifact
from edgeshrink.runtimes.registry import runtime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    print("| format | float bytes | int8 bytes | smaller | float score | int8 score | n | cosine | faster |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("onnx", "executorch"):
        with tempfile.TemporaryDirectory() as folder:
            print(row(given, name, Path(folder)), flush=True)


def row(given: argparse.Namespace, name: str, folder: Path) -> str:
    """One format's line."""
    reports = [
        edgeshrink.build(given.model, format=name, scheme=scheme, calibration=given.calibration, out=folder / scheme)
        for scheme in ("fp32", "int8")
    ]
    plain, small = (report.artifact.nbytes for report in reports)
    quality: Any = reports[1].quality
    ratio = interleaved(name, [find_artifact(folder / scheme).path for scheme in ("fp32", "int8")], given)
    return (
        f"| {name} | {plain:,} | {small:,} | {plain / small:.2f}x | {quality.reference_score.value:.4f} "
        f"| {quality.score.value:.4f} | {quality.samples} | {quality.cosine_mean.value:.5f} | {ratio:.2f}x |"
    )


def interleaved(name: str, files: list[Path], given: argparse.Namespace) -> float:
    """Median time of the first file over that of the second, on random inputs of the ports' fixed sizes."""
    delegate = "xnnpack" if name == "executorch" else "cpu"
    sessions = [runtime(name).open_network(file, threads=given.threads, delegate=delegate) for file in files]
    draw = np.random.default_rng(0)
    inputs = {
        port.name: draw.standard_normal([size if isinstance(size, int) else 1 for size in port.shape]).astype(
            port.dtype
        )
        for port in sessions[0].inputs
    }
    times: list[list[float]] = [[], []]
    for _ in range(given.rounds):
        for session, seen in zip(sessions, times, strict=True):
            began = time.perf_counter()
            session.run(inputs)
            seen.append(time.perf_counter() - began)
    for session in sessions:
        session.close()
    return median(times[0]) / median(times[1])


if __name__ == "__main__":
    main()
