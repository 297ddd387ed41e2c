"""The tokenizer of ExecuTorch's own runner (C++, in the wheel `pytorch-tokenizers`), so ids are those an app gets.

It reads tokenizer.json (its own code, not Hugging Face's) or a SentencePiece tokenizer.model, and always looks for
special tokens in a text.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from edgeshrink.errors import RuntimeFailed
from edgeshrink.runtimes.packages import missing
from edgeshrink.runtimes.tokenizer_files import TokenizerFiles


class RunnerTokenizer:
    """Opened when first needed; a session that gets ids alone never does."""

    def __init__(self, files: TokenizerFiles) -> None:
        self._files = files
        self._plain: Any = None
        self._literal: Any = None

    @staticmethod
    @functools.cache
    def library() -> Any:
        try:
            from pytorch_tokenizers import pytorch_tokenizers_cpp
        except (ImportError, OSError) as error:
            raise missing("executorch", f"pytorch-tokenizers cannot be loaded: {error}") from error
        return pytorch_tokenizers_cpp

    @property
    def eos_id(self) -> int | None:
        try:
            return int(self._opened().eos_tok())
        except RuntimeError:
            return None

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        tokenizer = self._opened()
        if not parse_special and self._files.holds_special(text):
            if self._literal is None:
                self._literal = self._open(self._files.without_special() / "tokenizer.json")
            tokenizer = self._literal
        bos, eos = self._frame() if add_special else (0, 0)
        try:
            return list(tokenizer.encode(text, bos, eos))
        except (RuntimeError, UnicodeError) as error:
            raise RuntimeFailed(f"ExecuTorch's tokenizer cannot read this text: {error}") from error

    def close(self) -> None:
        self._plain = self._literal = None
        self._files.close()

    def _frame(self) -> tuple[int, int]:
        """How many BOS and EOS to ask for. With tokenizer.json any number means: as its own template frames a text."""
        if self._files.file.suffix == ".json":
            return 1, 0
        framing = self._files.framing
        return int(framing.adds_bos is not False), int(bool(framing.adds_eos))

    def _opened(self) -> Any:
        if self._plain is None:
            self._plain = self._open(self._files.file)
        return self._plain

    def _open(self, file: Path) -> Any:
        library = self.library()
        tokenizer = library.SPTokenizer() if file.suffix == ".model" else library.HFTokenizer()
        try:
            tokenizer.load(str(file))
        except RuntimeError as error:
            raise RuntimeFailed(f"{file}: ExecuTorch's tokenizer cannot load it: {error}") from error
        if not tokenizer.is_loaded():
            raise RuntimeFailed(f"{file}: ExecuTorch's tokenizer cannot load it")
        return tokenizer
