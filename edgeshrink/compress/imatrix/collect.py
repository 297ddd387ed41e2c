"""Compute an importance matrix: run text through the model and add up the squares of what enters each weight.

The arithmetic and the choice of tensors are those of llama.cpp's imatrix tool: the inputs of every matrix product of
the blocks, the output matrix and the token embedding left out, the text cut into chunks of the context, each chunk
from an empty cache and with BOS in place of its first token where the vocabulary adds one. Control tokens that the
text spells out count as such (the tool's `--parse-special`): calibration text is often chat.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgeshrink.compress.imatrix.formats import read_importance
from edgeshrink.core.events import Listener, Progress, silent
from edgeshrink.core.importance import Importance

JOB = "edgeshrink.compress.imatrix.job:job"
DEFAULT_CONTEXT = 512
MAX_CHUNKS = 32  # 16,384 tokens: means of squares settle long before


def collect_importance(
    gguf: Path,
    text: str,
    *,
    name: str,
    context: int = DEFAULT_CONTEXT,
    threads: int,
    max_chunks: int = MAX_CHUNKS,
    listener: Listener = silent,
) -> Importance:
    """The importance matrix of the model in `gguf` over `text` (called `name` in the result), from a child process.

    `context` is the chunk size in tokens, at most the model's own; what follows `max_chunks` chunks is not read.
    DataError where the text is shorter than two chunks; RuntimeFailed where the runtime refuses the model or dies.
    """
    from edgeshrink.runtimes.child import run_job

    def on_event(event: dict[str, object]) -> None:
        done, total = event.get("done"), event.get("total")
        if isinstance(done, int | float) and isinstance(total, int | float):
            listener(Progress("importance matrix", float(done), float(total), "tokens"))

    with tempfile.TemporaryDirectory(prefix="edgeshrink-imatrix-") as folder:
        text_file, out = Path(folder) / "text.txt", Path(folder) / "imatrix.gguf"
        text_file.write_text(text, encoding="utf-8", newline="")
        parameters: Mapping[str, object] = {
            "gguf": str(gguf),
            "text": str(text_file),
            "name": name,
            "context": context,
            "threads": threads,
            "max_chunks": max_chunks,
            "out": str(out),
        }
        run_job(JOB, parameters, on_event=on_event)
        return read_importance(out)
