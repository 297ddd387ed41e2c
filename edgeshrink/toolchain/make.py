"""make: what builds where there is no Ninja."""

from __future__ import annotations

from edgeshrink.toolchain.interface import FoundTool, first_that_answers

NAME = "make"


def find() -> FoundTool | None:
    """`make` or `gmake` on the PATH."""
    return first_that_answers(("make", "gmake"))
