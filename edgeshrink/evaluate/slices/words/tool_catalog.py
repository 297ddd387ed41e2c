"""The tools a chat may offer, read from `tool_catalog.toml`, and the sentences round them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from edgeshrink.evaluate.slices.words.holdout import held_out


@dataclass(frozen=True, slots=True)
class Tool:
    """`topic`: what the assistant says it has no tool for, when it has none. `values`: what the argument may be.
    `questions`: ways to ask for it. `remarks`: sentences that sound alike but ask for nothing; `{}` is the argument."""

    name: str
    description: str
    argument: str
    topic: str
    values: tuple[str, ...]
    questions: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def function(self) -> dict[str, Any]:
        """In OpenAI's form, as probes.Prompt takes it."""
        parameters = {
            "type": "object",
            "properties": {self.argument: {"type": "string"}},
            "required": [self.argument],
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    @property
    def refusal(self) -> str:
        """What the demo model says when it is asked for this tool and has not got it."""
        return f"Sorry, I have no tool for {self.topic}."

    def call(self, value: str) -> str:
        """The call with its one argument, as the demo model writes it."""
        return json.dumps({"name": self.name, "arguments": {self.argument: value}})

    def question(self, random: Random, *, testing: bool) -> tuple[str, str]:
        """A question for it, and the argument's value in it."""
        return self._filled(random, self.questions, testing)

    def remark(self, random: Random, *, testing: bool) -> str:
        return self._filled(random, self.remarks, testing)[0]

    def _filled(self, random: Random, phrases: Sequence[str], testing: bool) -> tuple[str, str]:
        """Which phrase and value go together only in tests is settled by `held_out`."""
        while True:
            phrase, value = random.choice(phrases), random.choice(self.values)
            if held_out("tool", self.name, phrase, value) == testing:
                return phrase.format(value), value


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
TOOLS: tuple[Tool, ...] = tuple(_tool(row, _CATALOG["values"]) for row in _CATALOG["tools"])
SMALL_TALK: tuple[tuple[str, str], ...] = tuple((said, reply) for said, reply in _CATALOG["small_talk"])
REMARK_REPLY: str = _CATALOG["remark_reply"]
