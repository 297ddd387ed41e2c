"""edgeshrink against llama.cpp: Hugging Face -> F16 and Hugging Face -> Q4_K_M of a 0.3 B model of random weights.

    python tools/bench/convert.py --llama-cpp DIR [--repetitions 5] [--small] [--json FILE]

DIR is a llama.cpp checkout with convert_hf_to_gguf.py (the sdist of llama-cpp-python has one in vendor/llama.cpp;
without --llama-cpp it is fetched by pip). Every run is a child process of its own, the contenders take turns, and
the file cache is warm for all. CPU is user + system and peak RSS the largest process, children included; ours does
what a build does, proving the tokenizer by llama.cpp and fsync too, and "writing" is the part of it that libllama's
quantizer does as well. This process stays small: a child inherits its peak RSS.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
LLAMA_CPP_PYTHON = "llama-cpp-python==0.3.36"
Q4_K_M = 15


@dataclass(frozen=True)
class Run:
    wall_s: float
    cpu_s: float
    peak_rss_mib: float
    write_cpu_s: float = 0.0


def run(command: list[str], log: Path) -> Run:
    """Run to the end and measure; what it printed is shown only where it fails."""
    os.sync()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=log.parent)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    kib = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    told = log.read_text(errors="replace").strip().rpartition("\n")[2]
    writing = json.loads(told)["write_cpu_s"] if told.startswith("{") else 0.0
    return Run(wall, usage.ru_utime + usage.ru_stime, kib / 1024, writing)


def fetch_llama_cpp(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), LLAMA_CPP_PYTHON], check=True)
    with tarfile.open(next(folder.glob("llama_cpp_python-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("llama_cpp_python-*/vendor/llama.cpp"))


def contenders(model: Path, work: Path, llama_cpp: Path, threads: int) -> dict[str, list[str]]:
    python = sys.executable
    ours = [python, str(HERE / "ours.py"), str(model)]
    converter = [python, str(llama_cpp / "convert_hf_to_gguf.py"), str(model), "--outtype", "f16", "--outfile"]
    quantizer = [python, str(HERE / "theirs.py"), str(work / "bf16.gguf"), str(work / "theirs-q4.gguf")]
    return {
        "edgeshrink F16": [*ours, str(work / "ours-f16.gguf"), "F16", str(threads)],
        "convert_hf_to_gguf F16": [*converter, str(work / "theirs-f16.gguf")],
        "edgeshrink Q4_K_M": [*ours, str(work / "ours-q4.gguf"), "Q4_K_M", str(threads)],
        "libllama Q4_K_M (from BF16 GGUF)": [*quantizer, str(Q4_K_M), str(threads)],
    }


def report(runs: dict[str, list[Run]], interpreter: Run) -> dict[str, object]:
    median = {
        name: Run(*(statistics.median(getattr(one, field) for one in found) for field in Run.__dataclass_fields__))
        for name, found in runs.items()
    }
    print(f"\n{'median of ' + str(len(next(iter(runs.values())))):34}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
    for name, one in median.items():
        print(f"{name:34}{one.wall_s:9.2f}{one.cpu_s:9.2f}{one.peak_rss_mib:10.0f}")
    ours_f16, theirs_f16, ours_q4, theirs_q4 = median.values()
    print(f"{'edgeshrink Q4_K_M, writing':34}{'':9}{ours_q4.write_cpu_s:9.2f}")
    both = Run(theirs_f16.wall_s + theirs_q4.wall_s, theirs_f16.cpu_s + theirs_q4.cpu_s, theirs_f16.peak_rss_mib)
    ratios = {
        "F16: converter / ours": _ratio(theirs_f16, ours_f16),
        "Q4_K_M: converter and quantizer / ours": _ratio(both, ours_q4),
        "Q4_K_M: quantizer alone / ours": _ratio(theirs_q4, ours_q4),
    }
    print(f"\n{'ratio of medians':40}{'wall':>8}{'CPU':>8}{'peak RSS':>10}")
    for name, ratio in ratios.items():
        print(f"{name:40}{ratio['wall']:7.2f}x{ratio['cpu']:7.2f}x{ratio['peak_rss']:9.2f}x")
    print(f"{'Q4_K_M: quantizer alone / our writing':40}{'':8}{theirs_q4.cpu_s / ours_q4.write_cpu_s:7.2f}x")
    for name, peak in (("F16", ours_f16.peak_rss_mib), ("Q4_K_M", ours_q4.peak_rss_mib)):
        print(f"edgeshrink {name}: {peak - interpreter.peak_rss_mib:.0f} MiB above the interpreter's own")
    return {
        "runs": {name: [asdict(one) for one in found] for name, found in runs.items()},
        "median": {name: asdict(one) for name, one in median.items()},
        "interpreter": asdict(interpreter),
        "ratios": ratios,
    }


def _ratio(theirs: Run, ours: Run) -> dict[str, float]:
    return {
        "wall": theirs.wall_s / ours.wall_s,
        "cpu": theirs.cpu_s / ours.cpu_s,
        "peak_rss": theirs.peak_rss_mib / ours.peak_rss_mib,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("EDGESHRINK_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--llama-cpp", type=Path, help="a llama.cpp checkout; default: fetched by pip")
    parser.add_argument("--tokenizer", type=Path, default=shared / "tokenizers" / "llama2" / "tokenizer.model")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--small", action="store_true", help="a tiny model, to see that it runs")
    parser.add_argument("--json", type=Path, help="write all figures there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgeshrink-bench-") as folder:
        work = Path(folder)
        llama_cpp = given.llama_cpp.resolve() if given.llama_cpp else fetch_llama_cpp(work)
        model, log = work / "model", work / "log"
        size = "small" if given.small else "full"
        run([sys.executable, str(HERE / "random_llama.py"), str(model), str(given.tokenizer), size], log)
        load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
        print(f"{int(log.read_text()) / 1e6:.0f} M parameters, {given.threads} threads, {os.cpu_count()} CPUs, {load}")
        run([sys.executable, str(HERE / "ours.py"), str(model), str(work / "bf16.gguf"), "BF16", "1"], log)
        runs: dict[str, list[Run]] = {name: [] for name in contenders(model, work, llama_cpp, given.threads)}
        for turn in range(given.repetitions):
            for name, command in contenders(model, work, llama_cpp, given.threads).items():
                runs[name].append(run(command, log))
                one = runs[name][-1]
                print(f"{turn + 1} {name:34}{one.wall_s:9.2f}{one.cpu_s:9.2f}{one.peak_rss_mib:10.0f}", flush=True)
        for kind in ("f16", "q4"):
            pair = [str(work / f"{side}-{kind}.gguf") for side in ("ours", "theirs")]
            run([sys.executable, str(HERE / "same_tensors.py"), *pair], log)
            print(f"{kind}: every tensor of ours has the bits of theirs")
        result = report(runs, run([sys.executable, "-c", "pass"], log))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
