"""Language models in ONNX through onnxruntime-genai: a folder with genai_config.json, the model and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelUnopenable, QuestionRefused, WrongBase
from .onnx_network import send_nothing
from .tokenizer_json import TokenizerJson

_BATCH = 512
_ERRORS_ONLY = 3


def open_model(path: Path, *, context: int, threads: int) -> GenaiModel:
    """The providers are those of the folder's genai_config.json."""
    send_nothing()
    try:
        import onnxruntime_genai as genai
    except (ImportError, OSError) as error:
        raise ModelUnopenable(f"onnxruntime-genai cannot be loaded: {error}") from error
    options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1, "log_severity_level": _ERRORS_ONLY}
    try:
        length = int(json.loads((path / "genai_config.json").read_text(encoding="utf-8"))["model"]["context_length"])
        config = genai.Config(str(path))
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        tokenizer = genai.Tokenizer(config)
        model = genai.Model(config)
        parameters = genai.GeneratorParams(model)
        context = min(context, length)
        parameters.set_search_options(max_length=context, do_sample=False, batch_size=1, num_beams=1)
        generator = genai.Generator(model, parameters)
    except Exception as error:  # the binding raises RuntimeError, and others where a file is damaged
        raise ModelUnopenable(f"{path}: onnxruntime-genai cannot load it: {error}") from error
    return GenaiModel(genai, tokenizer, model, generator, TokenizerJson(path), context)


class GenaiModel:
    """See `engine.LanguageSession`."""

    def __init__(
        self, genai: Any, tokenizer: Any, model: Any, generator: Any, words: TokenizerJson, context: int
    ) -> None:
        self._genai = genai
        self._tokenizer = tokenizer
        self._literal: Any = None
        self._model = model
        self._generator = generator
        self._words = words
        self.context = context
        self.stop_ids = frozenset(int(token) for token in tokenizer.eos_token_ids)

    @property
    def position(self) -> int:
        return int(self._generator.token_count())

    def tokenize(self, text: str, *, special: bool, frame: bool) -> list[int]:
        if "\0" in text:
            raise QuestionRefused("the question holds a NUL character, where onnxruntime-genai takes a text to end")
        tokenizer = self._tokenizer
        try:
            if not special and self._words.holds_special(text):
                if self._literal is None:
                    self._literal = self._genai.Tokenizer(str(self._words.without_special()))
                tokenizer = self._literal
            tokenizer.update_options(add_special_tokens="true" if frame else "false")
            ids: list[int] = tokenizer.encode(text).tolist()
        except RuntimeError as error:
            raise QuestionRefused(f"onnxruntime-genai cannot tokenize this question: {error}") from error
        return ids

    def piece(self, token: int) -> bytes:
        return self._words.piece(token)

    def begin(self, ids: list[int]) -> NDArray[Any]:
        self._generator.rewind_to(0)
        for start in range(0, len(ids), _BATCH):
            self._append(ids[start : start + _BATCH])
        return self._row()

    def step(self, token: int) -> NDArray[Any]:
        self._append([token])
        return self._row()

    def adapt(self, adapter: Path | None) -> None:
        if adapter is not None:
            raise WrongBase("adapters are applied to GGUF models alone")

    def close(self) -> None:
        # In this order: a generator reads its model's memory when it goes.
        self._generator = None
        self._model = None
        self._tokenizer = self._literal = None
        self._words.close()

    def _append(self, ids: list[int]) -> None:
        try:
            self._generator.append_tokens(np.asarray(ids, np.int32))
        except RuntimeError as error:
            raise ModelUnopenable(f"onnxruntime-genai could not compute {len(ids)} tokens: {error}") from error

    def _row(self) -> NDArray[Any]:
        row: NDArray[Any] = np.asarray(self._generator.get_logits(), np.float32).reshape(-1)
        return row
