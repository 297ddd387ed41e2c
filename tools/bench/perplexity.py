"""Our mean KL, same-top share and perplexities against llama.cpp's own `llama-perplexity --kl-divergence`: one table.

    python tools/bench/perplexity.py REFERENCE.gguf FILE.gguf... [--text FILE] [--threads N] [--cache FOLDER]

Same files, same text (the shipped ones of all languages, joined, unless another is given), same windows of 512 tokens,
same arithmetic (KV cache F32, no flash attention). llama-perplexity keeps the reference as 16-bit log-probabilities, we
as in `edgeshrink.evaluate.compact`. Exit code 1 where mean KL or same-top share differ by more than 2 %. The first run
builds llama-perplexity from the sources of the installed llama-cpp-python (EDGESHRINK_LLAMA_CPP: sources at hand).
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_tools import built_tool

from edgeshrink.catalog.texts import LANGUAGES, Text, language_text
from edgeshrink.core.reading import Measured, Reading
from edgeshrink.devices.cpu import default_threads
from edgeshrink.evaluate.distribution import readings, score
from edgeshrink.evaluate.reference import Reference, write_reference
from edgeshrink.evaluate.subject import Subject

WINDOW = 512
ALLOWED = 0.02
FIGURES = {
    "mean KL": r"Mean +KLD: +([-\d.e]+)",
    "same top": r"Same top p: +([\d.]+)",
    "perplexity": r"Mean PPL\(Q\) +: +([\d.]+)",
    "reference perplexity": r"Mean PPL\(base\) +: +([\d.]+)",
    "median KL": r"Median +KLD: +([-\d.e]+)",
    "p99 KL": r"99\.0% +KLD: +([-\d.e]+)",
}
JUDGED = ("mean KL", "same top")


@dataclass(frozen=True)
class Row:
    """`other`: what llama-perplexity prints, as it prints it."""

    file: str
    figure: str
    ours: float
    other: float

    @property
    def difference(self) -> float:
        """Of what it prints, which may be 0 where the files hardly differ."""
        if self.other == 0:
            return 0.0 if self.ours == 0 else math.inf
        return self.ours / self.other - 1

    @property
    def met(self) -> bool:
        return self.figure not in JUDGED or abs(self.difference) <= ALLOWED

    def markdown(self) -> str:
        verdict = ("yes" if self.met else "NO") if self.figure in JUDGED else ""
        return (
            f"| {self.file} | {self.figure} | {self.ours:.6g} | {self.other:.6g} | {self.difference:+.3%} | {verdict} |"
        )


def ours(path: Path, reference: Reference, text: Text, scratch: Path, threads: int) -> dict[str, float]:
    scored = score(
        Subject(path, "llama_cpp", "cpu"),
        text,
        scratch,
        reference=reference,
        weights=0,
        context=WINDOW,
        threads=threads,
    )
    found = readings(scored)
    return {
        "mean KL": _value(found.mean_kl),
        "same top": _value(found.same_top_share),
        "perplexity": _value(found.perplexity),
        "reference perplexity": _value(found.reference_perplexity),
        "median KL": _value(found.median_kl),
        "p99 KL": _value(found.p99_kl),
    }


def theirs(program: Path, path: Path, base: Path, threads: int, more: Sequence[str]) -> str:
    """All that llama-perplexity says; `more` are its options for this run."""
    command = [str(program), "-m", str(path), "--kl-divergence-base", str(base), "-t", str(threads), *more]
    command += ["-c", str(WINDOW), "-b", str(WINDOW), "-ub", str(WINDOW), "-ctk", "f32", "-ctv", "f32", "-fa", "off"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def printed(said: str) -> dict[str, float]:
    found = {}
    for name, pattern in FIGURES.items():
        match = re.search(pattern, said)
        if match is None:
            sys.exit(f"llama-perplexity did not say {name}:\n{said[-3000:]}")
        found[name] = float(match.group(1)) / (100 if name == "same top" else 1)
    return found


def _value(reading: Reading) -> float:
    if not isinstance(reading, Measured):
        sys.exit(f"not measured: {reading.reason}")
    return reading.value


def given_text(path: Path | None) -> Text:
    if path is not None:
        return Text.of(path.name, path.read_bytes())
    return Text.of("shipped texts", "\n\n".join(language_text(language).text for language in LANGUAGES).encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "edgeshrink-bench")
    given = parser.parse_args()
    program, text = built_tool(given.cache, "perplexity", "llama-perplexity"), given_text(given.text)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "text").write_text(text.text, encoding="utf-8")
        stored = write_reference(
            given.reference, text, scratch, name="reference", context=WINDOW, threads=given.threads
        )
        chunks = str(len(stored.windows.ids))
        base = ["-f", str(scratch / "text"), "--chunks", chunks]
        theirs(program, given.reference, scratch / "base", given.threads, base)
        for path in given.files:
            own = ours(path, stored, text, scratch, given.threads)
            other = printed(theirs(program, path, scratch / "base", given.threads, ["--kl-divergence"]))
            rows.extend(Row(path.stem, name, own[name], other[name]) for name in FIGURES)
        print(f"{chunks} windows of {WINDOW} tokens, {stored.scored} positions scored; {text.name}\n")
    print("| file | figure | ours | llama-perplexity | difference | within 2 % |\n|---|---|---|---|---|---|")
    print("\n".join(row.markdown() for row in rows))
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
