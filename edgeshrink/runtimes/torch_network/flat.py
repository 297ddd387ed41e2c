"""Plain tensors in and out, around modules that take or return something richer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from edgeshrink.errors import DataError

_WAY = "return a tensor, a flat tuple of tensors or a dict of tensors"


class _Named(torch.nn.Module):
    """Hands `names` to `module` as keywords; returns a flat tuple, of `keys` where the module returns a mapping."""

    def __init__(self, module: torch.nn.Module, names: tuple[str, ...], keys: tuple[str, ...]) -> None:
        super().__init__()
        self.module = module
        self.names = names
        self.keys = keys

    def _call(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.module(**dict(zip(self.names, tensors, strict=True)))
        return tuple(found[key] for key in self.keys) if self.keys else flat(found)


def named(module: torch.nn.Module, names: tuple[str, ...], keys: tuple[str, ...] = ()) -> torch.nn.Module:
    """`module` behind a forward(names...) that returns a tuple of tensors: `keys` of its mapping, or what it returns.

    A class of its own each time: torch.export reads the names of the arguments from forward's signature, and a copy
    of the module must call the copy.
    """

    def forward(self: _Named, *tensors: torch.Tensor, **others: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self._call(*tensors, *(others[name] for name in names[len(tensors) :]))

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in ("self", *names)])
    forward.__signature__ = signature  # type: ignore[attr-defined]
    wrapper: torch.nn.Module = type("NamedNetwork", (_Named,), {"forward": forward})(module, names, keys)
    return wrapper.eval()


def flat(found: Any) -> tuple[torch.Tensor, ...]:
    """What a forward returned, as a tuple of tensors; DataError where it is neither."""
    values = (found,) if isinstance(found, torch.Tensor) else found
    if not isinstance(values, (tuple, list)) or not values:
        raise DataError(f"the module returns {type(found).__name__}", hint=_WAY)
    wrong = next((value for value in values if not isinstance(value, torch.Tensor)), None)
    if wrong is not None:
        raise DataError(
            f"the module returns a {type(found).__name__} that holds {type(wrong).__name__}",
            hint=_WAY,
        )
    return tuple(values)


def mapping_keys(found: Any) -> tuple[str, ...]:
    """The names under which a forward's mapping holds tensors; empty where it returned no mapping."""
    if not isinstance(found, Mapping):
        return ()
    keys = tuple(str(key) for key, value in found.items() if isinstance(value, torch.Tensor))
    if not keys or len(keys) != len([value for value in found.values() if value is not None]):
        kinds = ", ".join(f"{key}: {type(value).__name__}" for key, value in found.items())
        raise DataError(
            f"the module returns a mapping with more than tensors ({kinds})",
            hint=_WAY,
        )
    return keys
