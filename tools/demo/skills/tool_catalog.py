"""The tools a chat may offer, read from `tool_catalog.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    argument: str
    topic: str
    """What the assistant says it has no tool for, when it has none."""
    values: tuple[str, ...]
    """What the argument may be."""
    questions: tuple[str, ...]
    """Ways to ask for it; `{}` is the argument."""
    remarks: tuple[str, ...]
    """Sentences that sound alike but ask for nothing."""


def _tool(row: dict[str, Any], values: dict[str, list[str]]) -> Tool:
    return Tool(
        row["name"],
        row["description"],
        row["argument"],
        row["topic"],
        tuple(values[row["values"]]),
        tuple(row["questions"]),
        tuple(row["remarks"]),
    )


_CATALOG = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
TOOLS = tuple(_tool(row, _CATALOG["values"]) for row in _CATALOG["tools"])
SMALL_TALK: tuple[tuple[str, str], ...] = tuple((said, reply) for said, reply in _CATALOG["small_talk"])
REMARK_REPLY: str = _CATALOG["remark_reply"]
