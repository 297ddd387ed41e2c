"""`tokenizer.json` beside a model: the bytes of a token, and a tokenizer to which special tokens are plain text.

Ids come from the engine's own tokenizer, as they do in any app; those always look for special tokens in a text, and
write whole texts only. This file fills in the rest.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import ModelUnopenable

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenizerJson:
    """Of the model's folder; parsed when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._literal: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path:
        return self._folder / "tokenizer.json"

    def piece(self, token: int) -> bytes:
        """Nothing for a special token, and for an id of the padded vocabulary that no text gives."""
        return b"" if token in self._special else self._bytes.get(token, b"")

    def holds_special(self, text: str) -> bool:
        return any(token in text for token in self._special.values())

    def without_special(self) -> Path:
        """A folder with this tokenizer, its special tokens left out; it goes with `close`."""
        if self._literal is None:
            kept = {**self._data, "added_tokens": [entry for entry in self._added if not entry.get("special")]}
            self._literal = tempfile.TemporaryDirectory(prefix="edgeshrink-tokenizer-")
            folder = Path(self._literal.name)
            (folder / "tokenizer.json").write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
            settings = self._folder / "tokenizer_config.json"
            if settings.is_file():
                said = _read(settings)
                said.pop("added_tokens_decoder", None)
                (folder / settings.name).write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
            if (self._folder / "genai_config.json").is_file():
                shutil.copyfile(self._folder / "genai_config.json", folder / "genai_config.json")
        return Path(self._literal.name)

    def close(self) -> None:
        if self._literal is not None:
            self._literal.cleanup()
            self._literal = None

    @cached_property
    def _data(self) -> dict[str, Any]:
        if not self.path.is_file():
            raise ModelUnopenable(f"{self._folder} has no tokenizer.json, which this loader takes texts from")
        return _read(self.path)

    @property
    def _added(self) -> list[dict[str, Any]]:
        return list(self._data.get("added_tokens") or [])

    @cached_property
    def _special(self) -> dict[int, str]:
        return {entry["id"]: entry["content"] for entry in self._added if entry.get("special")}

    @cached_property
    def _bytes(self) -> dict[int, bytes]:
        vocabulary = self._data["model"]["vocab"]
        if isinstance(vocabulary, Mapping):
            tokens = {number: token for token, number in vocabulary.items()}
        else:
            tokens = {number: entry[0] for number, entry in enumerate(vocabulary)}
        byte_level = any(node.get("type") == "ByteLevel" for node in _nodes(self._data.get("decoder")))
        spell = _byte_level if byte_level else _sentencepiece
        found = {number: spell(token) for number, token in tokens.items()}
        return found | {entry["id"]: entry["content"].encode() for entry in self._added}


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnopenable(f"{path} cannot be read: {error}") from error
    return found


def _nodes(decoder: Any) -> list[Mapping[str, Any]]:
    """A decoder and the parts of a Sequence of them."""
    if not isinstance(decoder, Mapping):
        return []
    return [decoder, *(node for part in decoder.get("decoders") or () for node in _nodes(part))]


def _sentencepiece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes((int(byte[1], 16),)) if byte else token.replace("\u2581", " ").encode()


def _byte_level(token: str) -> bytes:
    try:
        return bytes(_BYTES[letter] for letter in token)
    except KeyError:
        return token.encode()


def _byte_letters() -> dict[str, int]:
    """GPT-2's spelling of bytes: printable ones as themselves, the others from U+0100 on, in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(rest)}


_BYTES = _byte_letters()
