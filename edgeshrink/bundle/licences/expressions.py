"""What a licence id allows, or an expression of several ("Apache-2.0 OR MIT", as SPDX writes them)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from edgeshrink.bundle.licences.table import known
from edgeshrink.core.bundle import Redistribution
from edgeshrink.runtimes.packages import missing

NOT_STATED: Final = ("", "unknown", "none")
"""Ids that say that there is no statement."""
_LONGEST = 300
_STRICTNESS: dict[Redistribution, int] = {"allowed": 0, "conditions": 1, "unknown": 2, "forbidden": 3}
_EXPRESSION = re.compile(r"\b(AND|OR|WITH)\b|[()]", re.IGNORECASE)
_LIST = re.compile(r"\[(.*)\]")


@dataclass(frozen=True, slots=True)
class Judged:
    """What may be done, and in one or a few sentences what for."""

    redistribution: Redistribution
    note: str


def judge_licence(stated: str) -> Judged:
    """Of what a source states, "" for nothing. An alternative (OR) is taken at its mildest, of parts that hold
    together (AND, or a list in a model card) the strictest counts."""
    if stated.strip().lower() in ("", "none"):
        return Judged(
            "unknown",
            "The source states no licence: whoever passes the bundle on must hold the rights to the model, or have a "
            "permission of those who do.",
        )
    if len(stated) > _LONGEST:
        return _unknown(stated[:40] + "...")
    if found := _LIST.fullmatch(stated.strip()):
        parts = [part.strip().strip("'\"") for part in found[1].split(",")]
        return _together([judge_licence(part) for part in parts if part])
    if known(stated) is None and _EXPRESSION.search(stated):
        return _judge_expression(stated)
    return _judge_id(stated)


def _judge_expression(stated: str) -> Judged:
    try:
        from license_expression import ExpressionError, Licensing
    except ImportError as error:
        raise missing("bundle", f"license-expression cannot be loaded: {error}") from error
    try:
        return _judge_node(Licensing().parse(stated))
    except (ExpressionError, RecursionError, IndexError):  # the last of an empty pair of brackets
        return _unknown(stated)


def _judge_node(node: Any) -> Judged:
    operator = str(getattr(node, "operator", "")).strip()
    if operator == "OR":
        branches = [(argument, _judge_node(argument)) for argument in node.args]
        taken, judged = min(branches, key=lambda branch: _STRICTNESS[branch[1].redistribution])
        return Judged(judged.redistribution, f"Taken of the alternatives: {taken}. {judged.note}")
    if operator == "AND":
        return _together([_judge_node(argument) for argument in node.args])
    # SPDX's exceptions (WITH) give more rights, never fewer; what else may stand there ("Commons-Clause") takes some.
    if "exception" not in str(getattr(node, "exception_symbol", "exception")).lower():
        return _unknown(str(node))
    return _judge_id(str(getattr(node, "license_symbol", node)))


def _together(parts: list[Judged]) -> Judged:
    if not parts:
        return judge_licence("")
    strictest = max(parts, key=lambda part: _STRICTNESS[part.redistribution])
    return Judged(strictest.redistribution, " ".join(dict.fromkeys(part.note for part in parts)))


def _judge_id(id: str) -> Judged:
    row = known(id)
    return _unknown(id) if row is None else Judged(row.redistribution, f"{row.note} ({row.url})")


def _unknown(id: str) -> Judged:
    return Judged("unknown", f"edgeshrink does not know the licence {id!r}: read its text, which only you can judge.")
