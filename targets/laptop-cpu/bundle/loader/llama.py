"""GGUF files through llama.cpp: the C API that llama-cpp-python binds."""

from __future__ import annotations

import ctypes
import functools
import os
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelUnopenable, QuestionRefused

_F16 = 1  # ggml.h, enum ggml_type
_BATCH = 512
_DEBUG, _WARNING = 1, 3  # ggml.h, enum ggml_log_level
_words: deque[str] = deque(maxlen=20)


def open_model(path: Path, *, context: int, threads: int) -> LlamaModel:
    """Map the file; all layers on the CPU."""
    api = _library()
    _words.clear()
    settings = api.llama_model_default_params()
    settings.n_gpu_layers = 0
    model = api.llama_model_load_from_file(os.fsencode(path), settings)
    if not model:
        raise ModelUnopenable(f"{path}: llama.cpp cannot load it: {_last_words()}")
    options = api.llama_context_default_params()
    options.n_ctx = context
    options.n_batch = options.n_ubatch = min(_BATCH, context)
    options.n_outputs_max = 1
    options.n_threads = options.n_threads_batch = threads
    options.flash_attn_type = 1
    options.type_k = options.type_v = _F16
    options.offload_kqv = options.op_offload = False
    handle = api.llama_init_from_model(model, options)
    if not handle:
        api.llama_model_free(model)
        raise ModelUnopenable(f"{path}: llama.cpp cannot make a context of {context} tokens: {_last_words()}")
    return LlamaModel(api, model, handle, min(_BATCH, context))


@functools.lru_cache(maxsize=1)
def _library() -> Any:
    try:
        import llama_cpp.llama_cpp as api
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelUnopenable(f"llama.cpp cannot be loaded: {error}") from error
    api.llama_log_set(_log_callback(api), ctypes.c_void_p(0))
    api.llama_backend_init()
    return api


@functools.lru_cache(maxsize=1)
def _log_callback(api: Any) -> Any:
    """Held for good: the library keeps the pointer. Nothing of its log reaches the screen."""

    def collect(level: int, text: bytes, _: object) -> None:
        if level >= _WARNING:
            _words.append(text.decode("utf-8", "replace").strip())

    return api.llama_log_callback(collect)


def _last_words() -> str:
    return "; ".join([line for line in _words if line][-4:]) or "it said nothing"


class LlamaModel:
    """See `engine.LanguageSession`."""

    def __init__(self, api: Any, model: Any, handle: Any, batch: int) -> None:
        self._api = api
        self._model = model
        self._handle = handle
        self._batch = batch
        self._vocab = api.llama_model_get_vocab(model)
        self._size = int(api.llama_vocab_n_tokens(self._vocab))
        self._position = 0
        self._adapters: dict[str, Any] = {}
        self.context = int(api.llama_n_ctx(handle))
        self.stop_ids = frozenset(token for token in range(self._size) if api.llama_vocab_is_eog(self._vocab, token))

    @property
    def position(self) -> int:
        return self._position

    def tokenize(self, text: str, *, special: bool, frame: bool) -> list[int]:
        data = text.encode("utf-8")
        room = len(data) + 8
        for _ in range(2):
            ids = (ctypes.c_int32 * room)()
            count = int(self._api.llama_tokenize(self._vocab, data, len(data), ids, room, frame, special))
            if count >= 0:
                return list(ids[:count])
            room = -count
        raise QuestionRefused(f"llama.cpp cannot tokenize a text of {len(data)} bytes")

    def piece(self, token: int) -> bytes:
        room = 64
        for _ in range(2):
            text = ctypes.create_string_buffer(room)
            count = int(self._api.llama_token_to_piece(self._vocab, token, text, room, 0, False))
            if count >= 0:
                return text.raw[:count]
            room = -count
        raise ModelUnopenable(f"llama.cpp cannot write token {token} as text")

    def begin(self, ids: list[int]) -> NDArray[Any]:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._handle), False)
        self._position = 0
        for start in range(0, len(ids), self._batch):
            part = ids[start : start + self._batch]
            self._compute(part, last=start + len(part) == len(ids))
        return self._row()

    def step(self, token: int) -> NDArray[Any]:
        self._compute([token], last=True)
        return self._row()

    def adapt(self, adapter: Path | None) -> None:
        count = 0 if adapter is None else 1
        handles = (ctypes.c_void_p * count)(*(() if adapter is None else (self._adapter(adapter),)))
        scales = (ctypes.c_float * count)(*[1.0] * count)
        pointer = ctypes.cast(handles, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))
        if self._api.llama_set_adapters_lora(self._handle, pointer, count, scales):
            raise ModelUnopenable(f"llama.cpp cannot apply the adapter: {_last_words()}")

    def close(self) -> None:
        if self._handle is not None:
            self._api.llama_free(self._handle)
            self._api.llama_model_free(self._model)  # its adapters go with it
        self._handle = self._model = None

    def _adapter(self, path: Path) -> int:
        """Read once: the library frees an adapter with its model alone."""
        key = str(path.resolve())
        if key not in self._adapters:
            _words.clear()
            found = self._api.llama_adapter_lora_init(self._model, os.fsencode(path))
            if not found:
                raise ModelUnopenable(f"{path}: llama.cpp cannot load this adapter: {_last_words()}")
            self._adapters[key] = ctypes.cast(found, ctypes.c_void_p).value
        return int(self._adapters[key])

    def _compute(self, ids: list[int], *, last: bool) -> None:
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        outputs = (ctypes.c_int8 * len(ids))()
        outputs[-1] = last
        batch = self._api.llama_batch(
            n_tokens=len(ids), token=tokens, logits=ctypes.cast(outputs, ctypes.POINTER(ctypes.c_int8))
        )
        if code := self._api.llama_decode(self._handle, batch):
            raise ModelUnopenable(f"llama.cpp could not compute {len(ids)} tokens (code {code}): {_last_words()}")
        self._position += len(ids)

    def _row(self) -> NDArray[Any]:
        """A copy: the library writes the next row over this one."""
        rows = self._api.llama_get_logits(self._handle)
        if not rows:
            raise ModelUnopenable(f"llama.cpp gave no logits: {_last_words()}")
        row: NDArray[Any] = np.ctypeslib.as_array(rows, shape=(self._size,)).copy()
        return row
