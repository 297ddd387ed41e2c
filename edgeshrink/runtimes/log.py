"""What a native library said last. Nothing of it reaches the person's screen; failures quote it."""

from __future__ import annotations

import sys
from collections import deque

KEPT_LINES = 300
# ggml.h, enum ggml_log_level
_DEBUG, INFO, WARNING, ERROR = 1, 2, 3, 4
_CONTINUED = 5


class LogTail:
    """The last lines of a library's log, with their ggml levels (2 info, 3 warning, 4 error).

    `echo` writes them to stderr too: set in a child process, whose stderr the parent keeps for the case of a crash.
    """

    def __init__(self) -> None:
        self.echo = False
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._partial = ""
        self._level = INFO

    def write(self, level: int, text: str) -> None:
        if level != _CONTINUED:
            self._level = level
        self._partial += text
        *whole, self._partial = self._partial.split("\n")
        for line in whole:
            if self._level == _DEBUG:
                continue
            self._lines.append((self._level, line))
            if self.echo:
                sys.stderr.write(line + "\n")
                sys.stderr.flush()

    def clear(self) -> None:
        self._lines.clear()
        self._partial = ""

    def lines(self) -> tuple[str, ...]:
        return tuple(line for _, line in self._lines)

    def last_words(self, count: int = 4) -> str:
        """The last errors if there are any, else the last warnings, else the last lines."""
        for least in (ERROR, WARNING, 0):
            found = [line.strip() for level, line in self._lines if level >= least and line.strip()]
            if found:
                return "; ".join(found[-count:])
        return "the library said nothing"


tail = LogTail()
