"""The reference: what the unquantized model says at every scored position, stored once and compared with many times.

On disk: `reference.json` (the windows, the text), `logits.npy` float32 (positions, vocabulary), and `opening.npy`,
the first positions of the first window, which the source in numpy is held against.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError
from edgeshrink.evaluate.windows import Windows
from edgeshrink.runtimes.progress import forward

INDEX, LOGITS, OPENING = "reference.json", "logits.npy", "opening.npy"
_FORMAT = 1
_SHARE_OF_RAM = 0.85
_OVERHEAD_BYTES = 512 << 20  # the process, compute buffers and a batch of logits


@dataclass(frozen=True, slots=True)
class Reference:
    """A stored reference. `name` says what was run, in a report's words; `weights` is the type of its matrices."""

    folder: Path
    name: str
    weights: str
    windows: Windows = field(repr=False)
    vocab_size: int
    text_name: str
    text_sha256: str

    def logits(self) -> Floats:
        """(scored positions, vocabulary), mapped from disk."""
        return _open_array(self.folder / LOGITS, (self.windows.scored, self.vocab_size))

    def opening(self) -> Floats:
        """(positions, vocabulary) of the beginning of the first window."""
        return _open_array(self.folder / OPENING, None)


def reference_fits(file_bytes: int, kv_bytes: int, available_ram: int) -> str | None:
    """Why a reference of `file_bytes` cannot be run within `available_ram`; None where it can."""
    needed = file_bytes + kv_bytes + _OVERHEAD_BYTES
    allowed = int(_SHARE_OF_RAM * available_ram)
    if needed <= allowed:
        return None
    return (
        f"the unquantized reference needs {needed / 2**30:.1f} GiB to run,"
        f" and {allowed / 2**30:.1f} GiB of this machine's free memory may be used"
    )


def write_reference(
    gguf: Path,
    text: Text,
    folder: Path,
    *,
    name: str,
    context: int,
    threads: int,
    listener: Listener = silent,
) -> Reference:
    """Run the unquantized `gguf` in llama.cpp over `text` in a child process and store what it says in `folder`.

    KV cache F32, flash attention off. The one reference for files of every format, so that their distances compare.
    DataError: the text is shorter than a window of min(context, 512) tokens.
    RuntimeFailed: the runtime refused or died. NoSpace: the disk is full.
    """
    from edgeshrink.runtimes.child import run_job

    header = read_gguf_header(gguf)
    longest = header.value(f"{header.value('general.architecture')!s}.context_length")
    shapes = [(tensor.shape, tensor.dtype) for tensor in header.tensors]
    parameters = {
        "subject": {"path": str(gguf), "runtime": "llama_cpp", "delegate": "cpu"},
        "text": text.text,
        "folder": str(folder),
        "weights": matrix_elements(shape for shape, _ in shapes),
        "context": min(context, longest) if isinstance(longest, int) else context,
        "threads": threads,
        "index": {
            "format": _FORMAT,
            "name": name,
            "weights": weight_type(shapes),
            "text_name": text.name,
            "text_sha256": text.sha256,
        },
    }
    told = forward(listener, "reference", unit="tokens")
    run_job("edgeshrink.evaluate.scoring:reference_job", parameters, on_event=told)
    return read_reference(folder)


def weight_type(tensors: Iterable[tuple[tuple[int, ...], str]]) -> str:
    """F32, F16 or BF16 where all matrices among (shape, type) are that, else "mixed"."""
    kinds = {kind for shape, kind in tensors if len(shape) > 1}
    return kinds.pop() if len(kinds) == 1 and kinds <= {"F32", "F16", "BF16"} else "mixed"


def matrix_elements(shapes: Iterable[tuple[int, ...]]) -> int:
    """How many weights the matrices hold: two operations each and token."""
    return sum(math.prod(shape) for shape in shapes if len(shape) > 1)


def write_index(folder: Path, index: dict[str, Any], windows: Windows, vocab_size: int) -> None:
    """The last file of a reference: where it is, the others are whole."""
    content = {**index, "vocab_size": vocab_size, "windows": windows.ids}
    (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def read_reference(folder: Path) -> Reference:
    """The reference stored in `folder`; DataError where it is not whole."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != _FORMAT:
            raise ValueError(f"format {index['format']}")
        windows = Windows(tuple(tuple(window) for window in index["windows"]))
        reference = Reference(
            folder,
            index["name"],
            index["weights"],
            windows,
            index["vocab_size"],
            index["text_name"],
            index["text_sha256"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a stored reference: {error}", hint="run the build again") from error
    reference.logits()
    return reference


def _open_array(path: Path, shape: tuple[int, int] | None) -> Floats:
    try:
        array: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a stored reference: {error}", hint="run the build again") from error
    if array.dtype != np.float32 or (shape is not None and array.shape != shape):
        found = f"{array.dtype} {array.shape}"
        raise DataError(f"{path} holds {found}, expected float32 {shape}", hint="run the build again")
    return array
