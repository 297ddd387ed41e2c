"""Tools on offer in a chat whose template knows none: they stand in the system message, before what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


def with_offer(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """`messages` with the tools listed in the system message, for a template that knows none."""
    listed = []
    for tool in tools:
        function = tool.get("function", tool)
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        listed.append(
            {
                "name": function.get("name", ""),
                "description": function.get("description", ""),
                "arguments": list(properties or ()),
            }
        )
    offer = f"Tools: {json.dumps(listed, ensure_ascii=False)}"
    if messages and messages[0].get("role") == "system":
        first = {**messages[0], "content": f"{offer}\n{messages[0].get('content') or ''}".rstrip("\n")}
        return (first, *messages[1:])
    return ({"role": "system", "content": offer}, *messages)
