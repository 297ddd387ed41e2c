"""The reference: what the unquantized model says at every scored position, stored once and compared with many times.

On disk: `reference.json` (the texts), `ids.bin` (the tokens of their windows, int32), `rows.bin` (one record of
`compact.row_type` a position), text after text; and, where one text is read as llama.cpp reads it, `opening.npy`:
float32 logits of the first positions of the first window, which the source in numpy is held against.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgeshrink.catalog.gguf_header import read_gguf_header
from edgeshrink.catalog.texts import Text
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.importance import Floats
from edgeshrink.errors import DataError
from edgeshrink.evaluate.compact import Rows, row_type
from edgeshrink.evaluate.subject import Subject
from edgeshrink.evaluate.texts import LabelledText
from edgeshrink.evaluate.windows import Windows
from edgeshrink.runtimes.progress import forward

INDEX, IDS, ROWS, OPENING = "reference.json", "ids.bin", "rows.bin", "opening.npy"
_FORMAT = 3
_ID = np.dtype("<i4")
_SHARE_OF_RAM = 0.85
_OVERHEAD_BYTES = 512 << 20  # the process, compute buffers and a batch of logits


@dataclass(frozen=True, slots=True)
class StoredText:
    """One text of a reference: `name` and `sha256` are its Text's, `tokens` how many it has in all (0: not counted)."""

    label: str
    title: str
    name: str
    sha256: str
    tokens: int
    windows: Windows = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """A stored reference. `name` says what was run, in a report's words; `weights` is the type of its matrices.

    `notes` name the texts that had fewer windows left than were asked for: without any, they are not in `texts`.
    """

    folder: Path
    name: str
    weights: str
    texts: tuple[StoredText, ...]
    vocab_size: int
    notes: tuple[str, ...] = ()

    @property
    def windows(self) -> Windows:
        """Of the first text: the only one where a build is compared."""
        return self.texts[0].windows

    @property
    def scored(self) -> int:
        return sum(text.windows.scored for text in self.texts)

    @property
    def row_bytes(self) -> int:
        """What a scored position takes on disk."""
        return row_type(self.vocab_size).itemsize

    def rows(self, first: int = 0, count: int = -1) -> Rows:
        """A record a scored position, of all texts one after the other: `count` of them, or all, from `first` on.

        Read, not mapped: the pages of a mapped file stay in the process, and grow with the text.
        """
        kind = row_type(self.vocab_size)
        found: Rows = np.fromfile(self.folder / ROWS, kind, count, offset=first * kind.itemsize)
        return found

    def require_whole(self) -> None:
        """DataError where rows are missing."""
        path, expected = self.folder / ROWS, self.scored * self.row_bytes
        found = path.stat().st_size if path.is_file() else 0
        if found != expected:
            raise DataError(f"{path} has {found:,} bytes, expected {expected:,}", hint="run the build again")

    def opening(self) -> Floats:
        """(positions, vocabulary) of the beginning of the first window."""
        path = self.folder / OPENING
        try:
            array: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is not a stored reference: {error}", hint="run the build again") from error
        return array


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
    adapter: Path | None = None,
    listener: Listener = silent,
) -> Reference:
    """Run the unquantized `gguf` in llama.cpp over `text` in a child process and store what it says in `folder`.

    `adapter`: a GGUF of low-rank updates that run beside its weights.

    KV cache F32, flash attention off. The one reference for files of every format, so that their distances compare.
    Windows are cut and scored as llama.cpp does, as many as are affordable (`cut_windows`).
    DataError: the text is shorter than a window of min(context, 512) tokens.
    RuntimeFailed: the runtime refused or died. NoSpace: the disk is full.
    """
    header = read_gguf_header(gguf)
    longest = header.value(f"{header.value('general.architecture')!s}.context_length")
    shapes = [(tensor.shape, tensor.dtype) for tensor in header.tensors]
    parameters = {
        "subject": Subject(gguf, "llama_cpp", "cpu", adapter).as_json(),
        "texts": [LabelledText("general", "General text", text).as_json()],
        "weights": matrix_elements(shape for shape, _ in shapes),
        "context": min(context, longest) if isinstance(longest, int) else context,
        "threads": threads,
        "tokens_each": None,
        "index": {"format": _FORMAT, "name": name, "weights": weight_type(shapes)},
    }
    return _stored(parameters, folder, listener)


def read_texts(
    subject: Subject,
    texts: Sequence[LabelledText],
    folder: Path,
    *,
    name: str,
    context: int,
    threads: int,
    tokens_each: int,
    listener: Listener = silent,
) -> Reference:
    """The same of `subject` over the texts of a suite's round: windows as `cut_round` cuts them of each, where the
    first round takes `tokens_each` tokens, all positions but the first few scored."""
    parameters = {
        "subject": subject.as_json(),
        "texts": [text.as_json() for text in texts],
        "weights": 0,
        "context": context,
        "threads": threads,
        "tokens_each": tokens_each,
        "index": {"format": _FORMAT, "name": name, "weights": "mixed"},
    }
    return _stored(parameters, folder, listener)


def _stored(parameters: dict[str, Any], folder: Path, listener: Listener) -> Reference:
    from edgeshrink.runtimes.child import run_job

    told = forward(listener, "reference", unit="tokens")
    run_job("edgeshrink.evaluate.scoring:reference_job", {**parameters, "folder": str(folder)}, on_event=told)
    return read_reference(folder)


_COARSER = ("F32", "F16", "BF16")


def weight_type(tensors: Iterable[tuple[tuple[int, ...], str]]) -> str:
    """The coarsest of F32, F16 and BF16 where the matrices among (shape, type) are nothing else, else "mixed".

    Routers of experts are F32 in any file.
    """
    kinds = {kind for shape, kind in tensors if len(shape) > 1}
    return max(kinds, key=_COARSER.index) if kinds and kinds <= set(_COARSER) else "mixed"


def matrix_elements(shapes: Iterable[tuple[int, ...]]) -> int:
    """How many weights the matrices hold: two operations each and token."""
    return sum(math.prod(shape) for shape in shapes if len(shape) > 1)


def write_index(
    folder: Path, index: dict[str, Any], texts: Sequence[StoredText], vocab_size: int, notes: Sequence[str]
) -> None:
    """The last file of a reference: where it is, the others are whole."""
    stored = [
        {
            "label": text.label,
            "title": text.title,
            "name": text.name,
            "sha256": text.sha256,
            "tokens": text.tokens,
            "early": text.windows.early,
            "size": text.windows.size,
            "windows": len(text.windows.ids),
        }
        for text in texts
    ]
    with (folder / IDS).open("wb") as file:
        for text in texts:
            for window in text.windows.ids:
                file.write(np.asarray(window, _ID).tobytes())
    content = {**index, "vocab_size": vocab_size, "texts": stored, "notes": list(notes)}
    (folder / INDEX).write_text(json.dumps(content), encoding="utf-8")


def read_reference(folder: Path) -> Reference:
    """The reference stored in `folder`; DataError where it is not whole."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != _FORMAT:
            raise ValueError(f"format {index['format']}")
        with (folder / IDS).open("rb") as ids:
            texts = tuple(_stored_text(text, ids) for text in index["texts"])
        reference = Reference(
            folder,
            index["name"],
            index["weights"],
            texts,
            index["vocab_size"],
            tuple(index["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a stored reference: {error}", hint="run the build again") from error
    reference.require_whole()
    return reference


def _stored_text(entry: dict[str, Any], ids: IO[bytes]) -> StoredText:
    windows = Windows(tuple(_window(ids, entry["size"]) for _ in range(entry["windows"])), entry["early"])
    return StoredText(entry["label"], entry["title"], entry["name"], entry["sha256"], entry["tokens"], windows)


def _window(ids: IO[bytes], size: int) -> array[int]:
    found = np.frombuffer(ids.read(size * _ID.itemsize), _ID)
    if len(found) != size:
        raise ValueError(f"{IDS} ends early")
    return array("i", found.astype(np.intc).tobytes())
