"""`--gate tools/decision:max-degradation=0.02`: gates in words, laid over those of a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError

from edgeshrink.core.budget import QualityFloor
from edgeshrink.core.gates import ExchangeRate, Gain, SliceGate
from edgeshrink.core.plain import plain
from edgeshrink.errors import UsageError
from edgeshrink.judging.gate_lookup import gates_for, pattern_of

M = TypeVar("M", bound=BaseModel)
_LIMITS = tuple((field.alias or name) for name, field in SliceGate.model_fields.items() if name != "metric")
_HINT = (
    "SLICE[:METRIC]:max-degradation=0.05 (or percent-max-degradation=, threshold=), SLICE:off, "
    "worst-slice:max-degradation=0.1, exchange[:SLICE]:decode-tok-s:percent-min-improvement=5"
)


def with_gates(floor: QualityFloor, words: Sequence[str]) -> QualityFloor:
    """`floor` with each word's change, in order: a limit that a word does not name stays as it was for those slices.

    UsageError: what is wrong with a word.
    """
    for word in words:
        floor = _with(floor, word)
    return floor


def _with(floor: QualityFloor, word: str) -> QualityFloor:
    head, colon, limits = word.strip().rpartition(":")
    if not colon or not head or not limits:
        raise _wrong(word, "it names no limit")
    if head == "exchange" or head.startswith("exchange:"):
        return _with_exchange(floor, word, head.split(":")[1:], limits)
    name, _, metric = head.partition(":")
    if not name or head.endswith(":"):
        raise _wrong(word, "a name is missing")
    if name == "worst-slice":
        before = floor.worst_slice or SliceGate.model_validate({})
        if limits == "off":
            return floor.model_copy(update={"worst_slice": None})
        gate = _gate(before, metric, limits, word)
        return floor.model_copy(update={"worst_slice": gate})
    key, before = _before(floor, name, metric)
    gate = _gate(before, metric, limits, word)
    return floor.model_copy(update={"slices": {**floor.slices, key: gate}})


def _before(floor: QualityFloor, name: str, metric: str) -> tuple[str, SliceGate]:
    """The key that the word changes, and the gate that holds there until now."""
    own = [key for key, gate in floor.slices.items() if pattern_of(key, gate) == name and (gate.metric or "") == metric]
    if own:
        return own[0], floor.slices[own[0]]
    held = next(
        (held.gate for held in gates_for(floor, name, "") if held.metric == metric), SliceGate.model_validate({})
    )
    return f"{name}:{metric}" if metric else name, held


def _gate(before: SliceGate, metric: str, limits: str, word: str) -> SliceGate:
    given: dict[str, object] = {"metric": metric or None}
    if limits != "off":
        given |= before.model_dump(by_alias=True, exclude={"metric"}, exclude_none=True)
        given |= _values(limits, _LIMITS, word)
    return _made(SliceGate, given, word)


def _with_exchange(floor: QualityFloor, word: str, names: list[str], limits: str) -> QualityFloor:
    """The gain is the last name; before it may stand a pattern of slices. A rate for the same two is replaced."""
    gains = get_args(Gain)
    if not names or len(names) > 2 or names[-1] not in gains:
        raise _wrong(word, f"what is gained is one of {', '.join(gains)}")
    pattern = names[0] if len(names) == 2 else "*"
    others = tuple(rate for rate in floor.exchange if (rate.slices, rate.gain) != (pattern, names[-1]))
    if limits == "off":
        return floor.model_copy(update={"exchange": others})
    given = {"slices": pattern, "gain": names[-1], **_values(limits, ("percent-min-improvement",), word)}
    return floor.model_copy(update={"exchange": (*others, _made(ExchangeRate, given, word))})


def _values(limits: str, known: tuple[str, ...], word: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in limits.split(","):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not equals or name not in known:
            raise _wrong(word, f"{name!r} is no limit; known: {', '.join(known)}")
        try:
            found[name] = float(text)
        except ValueError:
            raise _wrong(word, f"{text!r} is no number") from None
        if not math.isfinite(found[name]):
            raise _wrong(word, f"{text!r} is no limit")
    return found


def _made(model: type[M], given: dict[str, object], word: str) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(word, f"{where}: {first['msg'].lower()}") from None


def _wrong(word: str, what: str) -> UsageError:
    return UsageError(f"--gate {plain(word)}: {plain(what)}", hint=_HINT)
