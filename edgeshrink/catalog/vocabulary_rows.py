"""The token list of a GGUF while it is filled: one row per row of the embedding, holes named and marked unused."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.errors import DataError

# GGUF's token types (ggml/docs/gguf.md).
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
_PAD_SCORE = -1e4


class Rows:
    """`size` rows; what nobody put is `[PADn]`, unused. llama.cpp stops the process on a text that stands twice."""

    def __init__(self, size: int, file: Path) -> None:
        self._file = file
        self._rows: list[tuple[bytes, int, float] | None] = [None] * size
        self._taken: dict[bytes, int] = {}
        self._beyond: list[int] = []

    def put(self, number: int, text: str | bytes, kind: int, score: float) -> None:
        """Row `number`. DataError where the row or the text is taken; rows that the model does not have are noted."""
        raw = text.encode("utf-8") if isinstance(text, str) else text
        if number >= len(self._rows):
            self._beyond.append(number)
            return
        other = self._taken.get(raw)
        if other is not None or self._rows[number] is not None:
            raise DataError(
                f"{self._file}: tokens {other if other is not None else number} and {number} are both {raw!r}"
            )
        self._taken[raw] = number
        self._rows[number] = (raw, kind, score)

    @property
    def tokens(self) -> tuple[bytes, ...]:
        return tuple(self._pad(number) if row is None else row[0] for number, row in enumerate(self._rows))

    @property
    def types(self) -> tuple[int, ...]:
        return tuple(UNUSED if row is None else row[1] for row in self._rows)

    @property
    def scores(self) -> tuple[float, ...]:
        return tuple(_PAD_SCORE if row is None else row[2] for row in self._rows)

    @property
    def notes(self) -> tuple[str, ...]:
        if not self._beyond:
            return ()
        return (
            f"{len(self._beyond)} tokens of {self._file.name} (ids {min(self._beyond)} to {max(self._beyond)}) have no "
            f"row in the model's {len(self._rows)}-row embedding: left out",
        )

    def _pad(self, number: int) -> bytes:
        name = f"[PAD{number}]".encode()
        while name in self._taken:
            name += b"_"
        return name
