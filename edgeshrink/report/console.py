"""The console that reports are printed on: on one that does not know ≤ or ✓, they are spelled in ASCII."""

from __future__ import annotations

import codecs
import sys

from rich.console import Console

_ERRORS = "edgeshrink-spelled"
_SPELLED = {
    "≤": "<=",
    "≥": ">=",
    "±": "+/-",
    "×": "x",
    "—": "-",
    "✓": "+",
    "✗": "x",
    "★": "*",
    "¦": "|",
    "°": "",
    "∞": "inf",
    "␣": "_",
    "⏎": "/n",
    "⇥": "/t",
}


def console(*, stderr: bool = False) -> Console:
    """A console on stdout (or stderr) that never fails on a character: what has no spelling becomes `?`."""
    stream = sys.stderr if stderr else sys.stdout
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "")
    reconfigure = getattr(stream, "reconfigure", None)
    if not encoding.startswith("utf") and reconfigure is not None:
        codecs.register_error(_ERRORS, _spelled)
        reconfigure(errors=_ERRORS)
    return Console(stderr=stderr)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SPELLED.get(char, "?") for char in missing), error.end
