"""GGUF files through llama.cpp: its C API over ctypes, one model and one context a session.

A violated assertion inside the library ends the process, whatever Python does: files that were not written here a
moment ago are opened in a child process (`child.run_job`).
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgeshrink.core.measurement import RuntimeFacts
from edgeshrink.errors import DataError, RuntimeFailed
from edgeshrink.runtimes import llama_library
from edgeshrink.runtimes.interface import Logits, NetworkSession
from edgeshrink.runtimes.log import tail

NAME = "llama_cpp"
SUFFIXES = (".gguf",)

# ggml.h, enum ggml_type
_F32, _F16 = 0, 1
_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_USING = re.compile(r"using device (\S+)")
_TINY_BYTES = 64 << 20  # a step over so few weights takes threads longer to meet than to compute
_NO_VOCABULARY = 0


def build_id() -> str:
    """Changes whenever the code that computes changes."""
    return llama_library.build_id()


def preload(*, network: bool = False) -> None:
    """Load the library; no file is opened."""
    llama_library.library()


def open_network(path: Path, *, threads: int, delegate: str = "cpu") -> NetworkSession:
    """RuntimeFailed, always."""
    raise RuntimeFailed(
        f"{path}: a GGUF holds a language model, and llama.cpp runs no other networks",
        hint="build an encoder, a classifier or another network with --format onnx or --format executorch",
    )


def load(
    path: Path,
    *,
    context: int,
    threads: int,
    delegate: str = "cpu",
    gpu_layers: int = 0,
    exact: bool = False,
    batch: int = 512,
    vocab_only: bool = False,
    all_logits: bool = True,
    adapter: Path | None = None,
    eval_callback: Any = None,
) -> LlamaSession:
    """Open a GGUF with a KV cache of `context` positions (the library rounds up to 256), mapped, not read.

    A `delegate` other than "cpu" offloads all layers, unless `gpu_layers` says how many; below 0 is all. `exact`: KV
    cache in f32 and plain attention, else f16 and flash attention, as llama.cpp itself does; a tiny file's single
    tokens are then computed by one thread. `batch`: tokens computed at once. `all_logits=False` reserves one row of
    logits. `adapter`: a GGUF of low-rank updates that are computed beside the weights. `eval_callback`: (tensor
    pointer, asking) -> bool, the ggml scheduler's. RuntimeFailed with the library's own words where it refuses.
    """
    api = llama_library.library()
    for file in (path, adapter):
        if file is not None and not file.is_file():
            raise RuntimeFailed(f"{file}: there is no such file")
    layers = gpu_layers or (0 if delegate == "cpu" else -1)
    llama_library.collect_log(api)
    tail.clear()
    settings = api.llama_model_default_params()
    settings.n_gpu_layers = layers
    settings.load_mode = api.LLAMA_LOAD_MODE_MMAP
    settings.vocab_only = vocab_only
    model = api.llama_model_load_from_file(os.fsencode(path), settings)
    if not model:
        raise RuntimeFailed(
            f"{path}: llama.cpp cannot load it: {tail.last_words()}",
            hint="the file must be a whole GGUF of an architecture that this llama.cpp knows",
        )
    callback = None
    if eval_callback is not None:
        callback = api.ggml_backend_sched_eval_callback(lambda tensor, ask, _: bool(eval_callback(tensor, bool(ask))))
    handle = None
    if not vocab_only:
        options = api.llama_context_default_params()
        options.n_ctx = context
        options.n_batch = options.n_ubatch = min(batch, context)
        options.n_outputs_max = 0 if all_logits else 1
        tiny = exact and path.stat().st_size < _TINY_BYTES
        options.n_threads, options.n_threads_batch = 1 if tiny else threads, threads
        options.flash_attn_type = 0 if exact else 1
        options.type_k = options.type_v = _F32 if exact else _F16
        options.offload_kqv = options.op_offload = layers != 0
        if callback is not None:
            options.cb_eval = callback
        handle = api.llama_init_from_model(model, options)
        if not handle:
            words = tail.last_words()
            api.llama_model_free(model)
            raise RuntimeFailed(f"{path}: llama.cpp cannot make a context of {context} tokens: {words}")
        if adapter is not None and (words := _adapt(api, model, handle, adapter)):
            api.llama_free(handle)
            api.llama_model_free(model)
            raise RuntimeFailed(
                f"{adapter}: llama.cpp cannot load this adapter beside {path.name}: {words}",
                hint="the adapter must have been written for this very base",
            )
    return LlamaSession(api, model, handle, threads, min(batch, context), all_logits, callback)


def _adapt(api: Any, model: Any, handle: Any, file: Path) -> str:
    """Let the context compute the updates of `file` too, at full strength; the library's words where it cannot, else
    "". The updates are freed with their model."""
    tail.clear()
    updates = api.llama_adapter_lora_init(model, os.fsencode(file))
    if not updates:
        return tail.last_words() or "it gives no reason"
    pointers = (ctypes.c_void_p * 1)(ctypes.cast(updates, ctypes.c_void_p))
    places = ctypes.cast(pointers, api.llama_set_adapters_lora.argtypes[1])
    code = api.llama_set_adapters_lora(handle, places, 1, (ctypes.c_float * 1)(1.0))
    return f"code {code}" if code else ""


class LlamaSession:
    """One loaded GGUF. Made by `load`; see `interface.Session`."""

    def __init__(
        self, api: Any, model: Any, handle: Any, threads: int, batch: int, all_logits: bool, callback: Any
    ) -> None:
        self._api = api
        self._model: Any = model
        self._handle: Any = handle
        self._threads = threads
        self._batch = batch
        self._all_logits = all_logits
        self._callback = callback  # the library holds the pointer: it must live as long as the context
        self._vocab_pointer: Any = api.llama_model_get_vocab(model)
        self._position = 0
        self._devices: list[str] = []
        self._gpu_layers = 0
        for line in tail.lines():
            if found := _USING.search(line):
                self._devices.append(found[1])
            if found := _OFFLOADED.search(line):
                self._gpu_layers = int(found[1])

    @cached_property
    def vocab_size(self) -> int:
        return int(self._api.llama_vocab_n_tokens(self._vocab))

    @cached_property
    def context(self) -> int:
        return int(self._api.llama_n_ctx(self._open()))

    @property
    def position(self) -> int:
        return self._position

    @cached_property
    def chat_template(self) -> str | None:
        text: bytes | None = self._api.llama_model_chat_template(self.raw_model, None)
        return None if text is None else text.decode("utf-8")

    @cached_property
    def bos_id(self) -> int | None:
        token = int(self._api.llama_vocab_bos(self._vocab))
        return None if token < 0 else token

    @cached_property
    def eos_id(self) -> int | None:
        token = int(self._api.llama_vocab_eos(self._vocab))
        return None if token < 0 else token

    @cached_property
    def adds_bos(self) -> bool:
        """Whether `tokenize(add_special=True)` begins with BOS."""
        return bool(self._api.llama_vocab_get_add_bos(self._vocab))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        ends = self._api.llama_vocab_is_eog
        return tuple(token for token in range(self.vocab_size) if ends(self._vocab, token))

    @property
    def raw_model(self) -> Any:
        """The library's `llama_model *`, for a caller that needs more of the C API."""
        if self._model is None:
            raise RuntimeFailed("this session is closed")
        return self._model

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        self._require_vocabulary()
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(f"the text is no Unicode: {error}", hint="it holds half of a surrogate pair") from error
        room = len(data) + 8
        for _ in range(2):
            ids = (ctypes.c_int32 * room)()
            count = self._api.llama_tokenize(self._vocab, data, len(data), ids, room, add_special, parse_special)
            if count >= 0:
                return list(ids[:count])
            room = -count
        raise RuntimeFailed(f"llama.cpp cannot tokenize a text of {len(data)} bytes")

    def detokenize(self, ids: Sequence[int], *, special: bool = True) -> bytes:
        self._require_vocabulary()
        tokens = self._tokens(ids)
        room = 16 * len(ids) + 16
        for _ in range(2):
            text = ctypes.create_string_buffer(room)
            count = self._api.llama_detokenize(self._vocab, tokens, len(ids), text, room, False, special)
            if count >= 0:
                return text.raw[:count]
            room = -count
        raise RuntimeFailed(f"llama.cpp cannot write {len(ids)} tokens as text")

    def piece(self, token: int, *, special: bool = False) -> bytes:
        self._require_vocabulary()
        self._tokens((token,))
        room = 64
        for _ in range(2):
            text = ctypes.create_string_buffer(room)
            count = self._api.llama_token_to_piece(self._vocab, token, text, room, 0, special)
            if count >= 0:
                return text.raw[:count]
            room = -count
        raise RuntimeFailed(f"llama.cpp cannot write token {token} as text")

    def reset(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._open()), False)
        self._position = 0

    def prefill(self, ids: Sequence[int]) -> Logits:
        if not len(ids):
            raise RuntimeFailed("an empty prompt has no logits", hint="begin with BOS")
        self._require_room(len(ids))
        tokens = self._tokens(ids)
        for start in range(0, len(ids), self._batch):
            stop = min(start + self._batch, len(ids))
            outputs = (ctypes.c_int8 * (stop - start))()
            outputs[-1] = stop == len(ids)
            self._compute(tokens, start, stop, outputs)
        last: Logits = self._last(1)[0]
        return last

    def decode(self, token: int) -> Logits:
        self._require_room(1)
        self._compute(self._tokens((token,)), 0, 1, (ctypes.c_int8 * 1)(1))
        last: Logits = self._last(1)[0]
        return last

    def logits(self, ids: Sequence[int]) -> Logits:
        found = np.empty((len(ids), self.vocab_size), np.float32)
        start = 0
        for rows in self.iter_logits(ids):
            found[start : start + len(rows)] = rows
            start += len(rows)
        return found

    def iter_logits(self, ids: Sequence[int]) -> Iterator[Logits]:
        if not self._all_logits:
            raise RuntimeFailed("this session was loaded for the last position's logits only")
        self.reset()
        self._require_room(len(ids))
        tokens = self._tokens(ids)
        for start in range(0, len(ids), self._batch):
            stop = min(start + self._batch, len(ids))
            self._compute(tokens, start, stop, (ctypes.c_int8 * (stop - start))(*[1] * (stop - start)))
            yield self._last(stop - start)

    def facts(self) -> RuntimeFacts:
        helpers = [device.name for device in llama_library.devices() if device.kind == "accel"]
        used = [*self._devices, "CPU"] if self._gpu_layers else ["CPU"]
        return RuntimeFacts(
            name=NAME,
            version=llama_library.version(),
            build_id=llama_library.build_id(),
            backend="+".join([*used, *helpers]),
            cpu_features=llama_library.cpu_features(),
            threads=self._threads,
            gpu_layers=self._gpu_layers,
            context=0 if self._handle is None else self.context,
        )

    def close(self) -> None:
        if self._handle is not None:
            self._api.llama_free(self._handle)
        if self._model is not None:
            self._api.llama_model_free(self._model)
        self._handle = self._model = self._vocab_pointer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Any:
        if self._handle is None:
            raise RuntimeFailed("this session has no context: it is closed, or was loaded for its vocabulary only")
        return self._handle

    @property
    def _vocab(self) -> Any:
        if self._vocab_pointer is None:
            raise RuntimeFailed("this session is closed")
        return self._vocab_pointer

    def _require_vocabulary(self) -> None:
        if self._api.llama_vocab_type(self._vocab) == _NO_VOCABULARY:
            raise RuntimeFailed("this file has no tokenizer")

    def _require_room(self, count: int) -> None:
        self._open()
        if self._position + count > self.context:
            raise RuntimeFailed(
                f"{self._position} + {count} tokens do not fit a context of {self.context}",
                hint="take a longer context, or a shorter text",
            )

    def _tokens(self, ids: Sequence[int]) -> Any:
        size = self.vocab_size
        for token in ids:
            if not 0 <= token < size:
                raise RuntimeFailed(f"token id {token} is outside the vocabulary of {size}")
        return (ctypes.c_int32 * len(ids))(*ids)

    def _compute(self, tokens: Any, start: int, stop: int, outputs: Any) -> None:
        first = ctypes.cast(ctypes.byref(tokens, start * ctypes.sizeof(ctypes.c_int32)), ctypes.POINTER(ctypes.c_int32))
        batch = self._api.llama_batch(
            n_tokens=stop - start, token=first, logits=ctypes.cast(outputs, ctypes.POINTER(ctypes.c_int8))
        )
        code = self._api.llama_decode(self._open(), batch)
        if code:
            raise RuntimeFailed(f"llama.cpp could not compute {stop - start} tokens (code {code}): {tail.last_words()}")
        self._position += stop - start

    def _last(self, count: int) -> Logits:
        """The `count` rows of logits that the last batch asked for: a copy, since the library reuses its own."""
        rows = self._api.llama_get_logits(self._open())
        if not rows:
            raise RuntimeFailed(f"llama.cpp gave no logits: {tail.last_words()}")
        return np.ctypeslib.as_array(rows, shape=(count, self.vocab_size)).copy()
