"""The same answer to the same prompt once: letters in one spelling (NFC), white space as single spaces."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import ClassVar

from edgeshrink.compress.distill.sequences.interface import Sample


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Remembers 16 bytes of each conversation. What a prompt asks is compared by its words: a file that asks the same
    on two lines asks once."""

    _seen: set[bytes] = field(default_factory=set, init=False, repr=False)
    name: ClassVar[str] = "duplicates"
    told: ClassVar[str] = "the same as another answer to that prompt"

    def keeps(self, sample: Sample) -> bool:
        turns = [(str(message.get("role")), str(message.get("content") or "")) for message in sample.messages]
        digest = blake2b(digest_size=16)
        for part in (*(word for turn in turns for word in turn), sample.text, sample.answer):
            digest.update(" ".join(unicodedata.normalize("NFC", part).split()).encode("utf-8", "replace") + b"\0")
        key = digest.digest()
        if key in self._seen:
            return False
        self._seen.add(key)
        return True
