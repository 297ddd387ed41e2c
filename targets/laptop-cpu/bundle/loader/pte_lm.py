"""Language models in a .pte: `forward(tokens (1, T), input_pos (1,)) -> (1, vocab)`, the KV cache inside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelUnopenable, QuestionRefused, WrongBase
from .pte import Program
from .tokenizer_json import TokenizerJson


def open_model(path: Path, *, context: int, threads: int) -> PteModel:
    """The file fixes how long its cache is; `context` can only be less."""
    program = Program(path, threads=threads)
    held = program.constants("get_max_context_len") or program.constants("get_max_seq_len")
    if program.meta.num_inputs() != 2 or not held:
        raise ModelUnopenable(f"{program.path} is no language model with a cache of its own")
    return PteModel(program, min(context, int(held[0])))


class PteModel:
    """See `engine.LanguageSession`."""

    def __init__(self, program: Program, context: int) -> None:
        self._program = program
        self._longest = max(1, min(512, int(program.meta.input_tensor_meta(0).sizes()[-1])))
        self._words = TokenizerJson(program.path.parent)
        self._tokenizer = _open_tokenizer(self._words.path)
        self._literal: Any = None
        self._place = np.zeros(1, np.int64)
        self._position = 0
        self.context = context
        stops = frozenset(int(token) for token in program.constants("get_eos_ids"))
        self.stop_ids = stops or frozenset((int(self._tokenizer.eos_tok()),))

    @property
    def position(self) -> int:
        return self._position

    def tokenize(self, text: str, *, special: bool, frame: bool) -> list[int]:
        tokenizer = self._tokenizer
        if not special and self._words.holds_special(text):
            if self._literal is None:
                self._literal = _open_tokenizer(self._words.without_special() / "tokenizer.json")
            tokenizer = self._literal
        try:
            return list(tokenizer.encode(text, int(frame), 0))
        except (RuntimeError, UnicodeError) as error:
            raise QuestionRefused(f"ExecuTorch's tokenizer cannot read this question: {error}") from error

    def piece(self, token: int) -> bytes:
        return self._words.piece(token)

    def begin(self, ids: list[int]) -> NDArray[Any]:
        self._position = 0  # the cache is read up to the position alone
        for start in range(0, len(ids), self._longest):
            row = self._append(ids[start : start + self._longest])
        return row

    def step(self, token: int) -> NDArray[Any]:
        return self._append([token])

    def adapt(self, adapter: Path | None) -> None:
        if adapter is not None:
            raise WrongBase("adapters are applied to GGUF models alone")

    def close(self) -> None:
        self._program.close()
        self._tokenizer = self._literal = None
        self._words.close()

    def _append(self, ids: list[int]) -> NDArray[Any]:
        self._place[0] = self._position
        (found,) = self._program.call([np.asarray(ids, np.int64)[None], self._place])
        self._position += len(ids)
        row: NDArray[Any] = found.reshape(-1).copy()
        return row


def _open_tokenizer(path: Path) -> Any:
    """The tokenizer of ExecuTorch's own runner, so that ids are those that any app gets."""
    try:
        from pytorch_tokenizers import pytorch_tokenizers_cpp

        tokenizer = pytorch_tokenizers_cpp.HFTokenizer()
        tokenizer.load(str(path))
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelUnopenable(f"{path}: ExecuTorch's tokenizer cannot load it: {error}") from error
    if not tokenizer.is_loaded():
        raise ModelUnopenable(f"{path}: ExecuTorch's tokenizer cannot load it")
    return tokenizer
