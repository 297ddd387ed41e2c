"""Numbers out of what a program on a device printed: bounded and strict, since anyone may have printed it."""

from __future__ import annotations

import math
import re

from edgeshrink.core.plain import plain
from edgeshrink.errors import RuntimeFailed

NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,12})?(?:[eE][+-]?[0-9]{1,2})?)"
_LARGEST = 1e15


def number(text: str) -> float | None:
    """A finite number from 0 on that a clock or a counter can have shown."""
    if re.fullmatch(NUMBER, text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) and value <= _LARGEST else None


def last(pattern: str, said: str) -> float | None:
    """The number in the last place where `pattern`, with one group, matches: a model's own text comes before."""
    found = re.findall(pattern, said, re.MULTILINE)
    return number(found[-1]) if found else None


def missing(name: str, what: str, said: str) -> RuntimeFailed:
    """The error where `name` did not print `what`."""
    lines = [plain(line).strip() for line in said.splitlines()]
    words = " / ".join([line for line in lines if line][-4:])[-500:]
    return RuntimeFailed(f"{name} did not print {what}", hint=f"it said last: {words}" if words else "it said nothing")
