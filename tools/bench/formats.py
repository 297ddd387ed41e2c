"""The demo model in every format that a target lists, at 4 bits, 8 bits and float: one table.

    python tools/bench/formats.py [MODEL] [--target laptop-cpu] [--formats gguf,onnx,executorch]
                                  [--widths 4bit,8bit,float] [--fresh] [--json FILE] [--markdown FILE]

Every row is a whole `edgeshrink.build`, with its own measuring process, judged by the same reference: the float GGUF
in llama.cpp. "Error" columns are prediction against measurement. `--fresh` uses an empty store, so that every export
is timed here and now; otherwise exports that are in the store are told with the seconds they took then.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTHS = ("4bit", "8bit", "float")


@dataclass(frozen=True)
class Column:
    """A heading, its alignment, and the text of a row's cell."""

    heading: str
    cell: Callable[[Any], str]


def rows(model: str | None, target: str, formats: list[str], widths: list[str], out: Path) -> Iterator[dict[str, Any]]:
    """One build each; a build that fails is a row that says so."""
    import edgeshrink
    from edgeshrink.errors import Error

    for name in formats:
        for width in widths:
            print(f"{name} {width} ...", file=sys.stderr, flush=True)
            try:
                report = edgeshrink.build(
                    model, target=target, format=name, scheme=width, out=out / f"{name}-{width}", offline=True
                )
            except Error as error:
                yield {"format": name, "scheme": width, "error": f"{error.message} ({error.hint})"}
                continue
            yield row(report)


def row(report: Any) -> dict[str, Any]:
    """The figures of one report, plain numbers; None where something was not measured."""
    quality, measured, predicted = report.quality, report.measurements, report.predictions
    memory = measured.memory
    times = getattr(report, "export_times", None)
    peak, decode = value(memory.peak_rss_bytes), value(measured.decode_tok_s)
    found = {
        "format": report.artifact.format,
        "scheme": report.artifact.scheme,
        "backend": measured.runtime.backend,
        "file_bytes": report.artifact.nbytes,
        "bits_per_weight": report.artifact.bits_per_weight,
        "mean_kl": value(quality.mean_kl),
        "same_top_share": value(quality.same_top_share),
        "decode_tok_s": decode,
        "ttft_p95_ms": value(measured.prefill[-1].ttft_p95_ms) if measured.prefill else None,
        "peak_rss_bytes": peak,
        "baseline_rss_bytes": value(memory.baseline_rss_bytes),
        "error_bytes": against(predicted.artifact_bytes, report.artifact.nbytes),
        "error_peak_rss": against(predicted.peak_rss_bytes, peak),
        "error_decode": against(predicted.decode_tok_s, decode),
        "export_s": None if times is None else times.seconds,
        "export_stages": None if times is None else dict(times.stages),
        "export_peak_rss_bytes": None if times is None else times.peak_rss_bytes,
        "error_host_ram": None if times is None else against(predicted.host_ram_bytes, times.peak_rss_bytes),
        "outcome": report.verdict.outcome,
    }
    if times is None:  # GGUF is written by this process: its steps say how long
        found["export_s"] = sum(step.seconds for step in report.steps if step.id == "export")
    return found


def value(reading: Any) -> float | None:
    found = getattr(reading, "value", None)
    return None if found is None else float(found)


def against(prediction: Any, measured: float | None) -> float | None:
    """Prediction over measurement, minus one."""
    expected = value(prediction)
    return None if expected is None or not measured else expected / measured - 1


def mib(found: float | None) -> str:
    return "–" if found is None else f"{found / 2**20:,.1f}"


def share(found: float | None) -> str:
    return "–" if found is None else f"{found:+.1%}"


def number(digits: int) -> Callable[[float | None], str]:
    return lambda found: "–" if found is None else f"{found:,.{digits}f}"


def column(heading: str, key: str, show: Callable[[Any], str]) -> Column:
    return Column(heading, lambda found: show(found[key]))


COLUMNS = (
    column("format", "format", str),
    column("scheme", "scheme", str),
    column("backend", "backend", str),
    column("file MiB", "file_bytes", mib),
    column("mean KL", "mean_kl", number(5)),
    column("same top", "same_top_share", lambda found: "–" if found is None else f"{found:.1%}"),
    column("decode tok/s", "decode_tok_s", number(0)),
    column("TTFT p95 ms", "ttft_p95_ms", number(1)),
    column("peak RSS MiB", "peak_rss_bytes", mib),
    column("of it baseline", "baseline_rss_bytes", mib),
    column("error bytes", "error_bytes", share),
    column("error RSS", "error_peak_rss", share),
    column("error decode", "error_decode", share),
    column("export s", "export_s", number(1)),
    column("export RSS MiB", "export_peak_rss_bytes", mib),
    column("error of it", "error_host_ram", share),
)


def markdown(found: list[dict[str, Any]]) -> str:
    """The table, the stages of every export, and what failed."""
    built = [entry for entry in found if "error" not in entry]
    lines = ["| " + " | ".join(column.heading for column in COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(column.cell(entry) for column in COLUMNS) + " |" for entry in built]
    lines.append("")
    for entry in built:
        stages = entry["export_stages"]
        if stages:
            told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages.items())
            lines.append(f"- {entry['format']} {entry['scheme']}: {told}")
    lines += [f"- {entry['format']} {entry['scheme']} FAILED: {entry['error']}" for entry in found if "error" in entry]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a model folder; without one, the demo model")
    parser.add_argument("--target", default="laptop-cpu")
    parser.add_argument("--formats", default="gguf,onnx,executorch")
    parser.add_argument("--widths", default=",".join(WIDTHS))
    parser.add_argument("--fresh", action="store_true", help="build everything anew, in a store that is thrown away")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeshrink-formats-")))
        if given.fresh:
            os.environ["EDGESHRINK_CACHE"] = str(scratch / "store")
        found = []
        for entry in rows(given.model, given.target, given.formats.split(","), given.widths.split(","), scratch):
            found.append(entry)
            if given.json:  # as far as it got: the whole takes minutes
                given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    table = markdown(found)
    print(table)
    if given.markdown:
        given.markdown.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
