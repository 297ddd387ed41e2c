"""The child's side of `collect_importance`: listen to the compute graph while text runs through the model."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.compress.imatrix.formats import write_importance
from edgeshrink.compress.imatrix.ggml_tensor import Accessors, Tensor
from edgeshrink.core.importance import Floats, Importance
from edgeshrink.errors import DataError, RuntimeFailed

MINIMUM_CHUNKS = 2
_LOGITS_BYTES = 64 << 20
_OF_EXPERTS = "MUL_MAT_ID"


class Collector:
    """Adds up squares per input column for each weight of the blocks, of each expert. An instance is the eval
    callback. `sums`: shape (matrices, columns); `rows`: how many those were, (matrices,)."""

    def __init__(self, accessors: Accessors) -> None:
        self.sums: dict[str, NDArray[np.float64]] = {}
        self.rows: dict[str, NDArray[np.int64]] = {}
        self.failure: Exception | None = None
        self._accessors = accessors
        self._layout_checked = False

    def __call__(self, address: int, ask: bool) -> bool:
        """`ask` true: is this node of interest? Else it was just computed; false stops the computation."""
        try:
            if not self._layout_checked:
                self._accessors.check_layout(address)
                self._layout_checked = True
            if ask:
                return self._wants(address)
            self._add(address)
            return True
        except Exception as error:  # nothing may be raised through C; the job raises it after the batch
            self.failure = self.failure or error
            return False

    def _wants(self, address: int) -> bool:
        if self.failure is not None or self._accessors.operation(address) not in ("MUL_MAT", _OF_EXPERTS):
            return False
        node = Tensor.from_address(address)
        return _weight_name(node.src[0].contents.name).startswith("blk.")

    def _add(self, address: int) -> None:
        node = Tensor.from_address(address)
        name = _weight_name(node.src[0].contents.name)
        if self._accessors.operation(address) == _OF_EXPERTS:
            squares, rows = self._of_experts(node)
        else:
            activations = self._accessors.rows(_address(node.src[1]))
            squares, rows = _squares(activations)[None, :], np.array([len(activations)], np.int64)
        if not np.isfinite(squares).all():
            raise RuntimeFailed(f"the inputs of {name} are not finite: the model computes nonsense on this text")
        if name in self.sums:
            self.sums[name] += squares
            self.rows[name] += rows
        else:
            self.sums[name], self.rows[name] = squares, rows

    def _of_experts(self, node: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Squares and counts of the rows that each expert of the weight was given."""
        count = int(node.src[0].contents.ne[2])
        activations = self._accessors.rows_of_tokens(_address(node.src[1]))
        chosen = self._accessors.chosen(_address(node.src[2]))
        squares = np.zeros((count, activations.shape[-1]))
        for expert in np.unique(chosen):
            tokens, places = np.nonzero(chosen == expert)
            # every expert that a token uses gets the same row, or each its own
            squares[expert] = _squares(activations[tokens, places % activations.shape[1]])
        return squares, np.bincount(chosen.reshape(-1), minlength=count)


def _squares(activations: Floats) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.einsum("ij,ij->j", activations, activations, dtype=np.float64)
    return found


def job(parameters: dict[str, Any], emit: Callable[[dict[str, object]], None]) -> dict[str, object]:
    """Write `out` as imatrix.gguf. Parameters: see `collect_importance`."""
    from edgeshrink.runtimes import llama_cpp

    collector = Collector(Accessors.load())
    text = Path(parameters["text"]).read_bytes().decode("utf-8")
    gguf, threads = Path(parameters["gguf"]), int(parameters["threads"])
    with llama_cpp.load(gguf, context=64, threads=threads, vocab_only=True) as vocabulary:
        tokens = vocabulary.tokenize(text, add_special=True, parse_special=True)
        batch = _batch(vocabulary.vocab_size)
    chunk = int(parameters["context"])
    chunks = len(tokens) // chunk
    if chunks < MINIMUM_CHUNKS:
        raise DataError(
            f"the calibration text has {len(tokens)} tokens, fewer than {MINIMUM_CHUNKS} chunks of {chunk}",
            hint="give a longer --calibration FILE",
        )
    chunks = min(chunks, int(parameters["max_chunks"]))
    with llama_cpp.load(
        gguf, context=chunk, threads=threads, exact=True, batch=min(batch, chunk), eval_callback=collector
    ) as session:
        for index in range(chunks):
            piece = tokens[index * chunk : (index + 1) * chunk]
            if session.adds_bos and session.bos_id is not None:
                piece[0] = session.bos_id
            _run(session, piece, collector)
            emit({"done": (index + 1) * chunk, "total": chunks * chunk})
    importance = Importance(
        sums={name: sums.astype(np.float32) for name, sums in collector.sums.items()},
        counts=collector.rows,
        datasets=(str(parameters["name"]),),
        chunk_count=chunks,
        chunk_size=chunk,
    )
    write_importance(Path(parameters["out"]), importance)
    return {"chunks": chunks, "tokens": chunks * chunk}


def _run(session: Any, tokens: list[int], collector: Collector) -> None:
    try:
        for _ in session.iter_logits(tokens):
            if collector.failure is not None:
                break
    except RuntimeFailed:
        if collector.failure is None:
            raise
    if collector.failure is not None:
        raise collector.failure


def _batch(vocab_size: int) -> int:
    """Tokens a batch so that their logits, which the last layer's inputs cannot be had without, stay small."""
    return max(32, min(512, _LOGITS_BYTES // (4 * vocab_size) // 32 * 32))


def _weight_name(raw: bytes) -> str:
    """llama.cpp's scheduler names copies `backend#name#number`."""
    name = raw.decode("utf-8", "replace")
    return name.split("#")[1] if "#" in name else name


def _address(pointer: Any) -> int:
    return int(ctypes.cast(pointer, ctypes.c_void_p).value or 0)
