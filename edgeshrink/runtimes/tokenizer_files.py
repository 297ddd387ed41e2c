"""The tokenizer files beside a model file: what frames a text, the bytes of a token, and a tokenizer without specials.

The ids of a text always come from the runtime's own tokenizer. What those leave out comes from here: which ids stop,
the chat template, the bytes of one token (their own decoders only write whole texts, as C strings at that), and the
reading of a text in which special tokens are plain text. Large files are parsed when first needed, not at loading:
an app does not hold them a second time either.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeshrink.catalog.json_files import read_json
from edgeshrink.catalog.special_tokens import Framing, read_framing
from edgeshrink.catalog.tokenizer_sentencepiece import open_sentencepiece
from edgeshrink.errors import RuntimeFailed

SPACE = "▁"
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_ADDED = '"added_tokens"'


class TokenizerFiles:
    """The tokenizer of `folder`: tokenizer.json, or else tokenizer.model.

    `config` may name bos_token_id, eos_token_id and pad_token_id, as config.json does; `size` is the vocabulary's.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], size: int) -> None:
        self._folder = folder
        self._config = config
        self._size = size
        self._literal: TemporaryDirectory[str] | None = None

    @cached_property
    def file(self) -> Path:
        """RuntimeFailed where there is none: the model then takes ids only."""
        for name in ("tokenizer.json", "tokenizer.model"):
            if (self._folder / name).is_file():
                return self._folder / name
        raise RuntimeFailed(f"{self._folder} has no tokenizer.json and no tokenizer.model")

    @cached_property
    def framing(self) -> Framing:
        return read_framing(self._folder, self._config, self._size, self._ids_by_text.get)

    @cached_property
    def special(self) -> dict[int, str]:
        """Texts of the special tokens, by id."""
        if self.file.name == "tokenizer.model":
            processor = open_sentencepiece(self.file)
            return {
                number: processor.id_to_piece(number)
                for number in range(processor.get_piece_size())
                if processor.is_control(number) or processor.is_unknown(number)
            }
        return {entry["id"]: entry["content"] for entry in self._added() if entry.get("special")}

    def holds_special(self, text: str) -> bool:
        """Whether the runtime's tokenizer would find a special token in `text`."""
        return self.file.name == "tokenizer.json" and any(token in text for token in self.special.values())

    def piece(self, token: int, *, special: bool) -> bytes:
        """The bytes of one token inside a text; b"" for an id of the padded vocabulary that no text gives."""
        if token in self.special:
            return self.special[token].encode() if special else b""
        return self._bytes.get(token, b"")

    def text(self, ids: Sequence[int], *, special: bool) -> bytes:
        """The bytes of a whole text: without the space that the tokenizer puts before one."""
        joined = b"".join(self.piece(token, special=special) for token in ids)
        return joined[1:] if self._puts_space and joined.startswith(b" ") else joined

    def without_special(self) -> Path:
        """A folder with this tokenizer, its special tokens left out, so that they are text like any other."""
        if self._literal is None:
            data = read_json(self.file)
            data["added_tokens"] = [entry for entry in data.get("added_tokens") or [] if not entry.get("special")]
            self._literal = TemporaryDirectory(prefix="edgeshrink-tokenizer-")
            folder = Path(self._literal.name)
            (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            settings = self._folder / "tokenizer_config.json"
            if settings.is_file():
                kept = {key: value for key, value in read_json(settings).items() if key != "added_tokens_decoder"}
                (folder / settings.name).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
            if (self._folder / "genai_config.json").is_file():
                shutil.copyfile(self._folder / "genai_config.json", folder / "genai_config.json")
        return Path(self._literal.name)

    def close(self) -> None:
        """Remove what was written."""
        if self._literal is not None:
            self._literal.cleanup()
            self._literal = None

    def _added(self) -> list[dict[str, Any]]:
        """`added_tokens` of tokenizer.json, without parsing the vocabulary behind it where that can be avoided."""
        text = self.file.read_text(encoding="utf-8-sig")
        start = text.find("[", text.find(_ADDED))
        if 0 <= text.find(_ADDED) < text.find('"vocab"'):
            return list(json.JSONDecoder().raw_decode(text, start)[0])
        return list(read_json(self.file).get("added_tokens") or [])

    @cached_property
    def _parsed(self) -> tuple[dict[int, str], bool, bool]:
        """(token texts by id, whether they spell bytes as GPT-2 does, whether a text's first space is not its own)."""
        if self.file.name == "tokenizer.model":
            processor = open_sentencepiece(self.file)
            tokens = {number: processor.id_to_piece(number) for number in range(processor.get_piece_size())}
            return tokens, False, processor.encode_as_pieces("a")[:1] != ["a"]
        data = read_json(self.file)
        vocabulary = data["model"]["vocab"]
        if isinstance(vocabulary, Mapping):
            tokens = {number: token for token, number in vocabulary.items()}
        else:
            tokens = {number: entry[0] for number, entry in enumerate(vocabulary)}
        nodes = _nodes(data.get("decoder"))
        strips = any(
            node.get("type") == "Strip" or (node.get("type") == "Metaspace" and node.get("prepend_scheme") != "never")
            for node in nodes
        )
        return tokens, any(node.get("type") == "ByteLevel" for node in nodes), strips

    @property
    def _puts_space(self) -> bool:
        return self._parsed[2]

    @cached_property
    def _bytes(self) -> dict[int, bytes]:
        tokens, byte_level, _ = self._parsed
        spell = _byte_level if byte_level else _sentencepiece
        found = {number: spell(token) for number, token in tokens.items()}
        if self.file.name == "tokenizer.json":
            found |= {entry["id"]: entry["content"].encode() for entry in self._added()}
        return found

    @cached_property
    def _ids_by_text(self) -> dict[str, int]:
        found = {token: number for number, token in self._parsed[0].items()}
        if self.file.name == "tokenizer.json":
            found |= {entry["content"]: entry["id"] for entry in self._added()}
        return found


def _nodes(decoder: Any) -> list[Mapping[str, Any]]:
    """A decoder and the parts of a Sequence of them."""
    if not isinstance(decoder, Mapping):
        return []
    return [decoder, *(node for part in decoder.get("decoders") or () for node in _nodes(part))]


def _sentencepiece(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    return bytes((int(byte[1], 16),)) if byte else token.replace(SPACE, " ").encode()


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
