"""Options of families, as a suite file may have them: any JSON value, so each is looked at before it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeshrink.errors import UsageError
from edgeshrink.evaluate.slices.interface import Settings


def whole(settings: Settings, family: str, name: str, default: int, least: int, most: int) -> int:
    """UsageError where it is no whole number from `least` to `most`."""
    value = settings.options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(
            f"{family}: {name} is {value!r:.80}, expected a whole number from {least} to {most}",
            hint=f"as in {name} = {default}",
        )
    return value


def several(
    settings: Settings, family: str, name: str, default: Sequence[Any], known: Callable[[Any], bool]
) -> tuple[Any, ...]:
    """UsageError where it is no list of at least one value, or one of them is not `known`."""
    value = settings.options.get(name, default)
    if not isinstance(value, list | tuple) or not value or not all(map(known, value)):
        raise UsageError(
            f"{family}: {name} is {value!r:.80}, which is not known", hint=f"as in {name} = {list(default)}"
        )
    return tuple(value)


def whole_between(least: int, most: int) -> Callable[[Any], bool]:
    """For `several`."""
    return lambda value: not isinstance(value, bool) and isinstance(value, int) and least <= value <= most
