"""Text from elsewhere (a device, a file, a library), made safe to show."""

from __future__ import annotations

import unicodedata

_UNSAFE = ("Cc", "Cf", "Cs")  # controls, formats (they reorder text), lone surrogates
_JOINERS = "\u200c\u200d"  # spelling of Persian and of emoji


def plain(text: str) -> str:
    """`text` without what could steer a terminal or break an encoding: control characters, lone surrogates."""
    spaced = (" " if char in "\t\n\r" else char for char in text)
    return "".join("�" if unicodedata.category(c) in _UNSAFE and c not in _JOINERS else c for c in spaced)
