"""What sessions refuse before a library sees it: in native code the same mistakes are crashes, or wrong answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.core.network import Port
from edgeshrink.errors import DataError, RuntimeFailed


def require_ids(ids: Iterable[int], vocab_size: int) -> None:
    for token in ids:
        if not 0 <= token < vocab_size:
            raise RuntimeFailed(f"token id {token} is outside the vocabulary of {vocab_size}")


def require_prompt(ids: Sequence[int]) -> None:
    if not len(ids):
        raise RuntimeFailed("an empty prompt has no logits", hint="begin with BOS")


def require_room(position: int, count: int, context: int) -> None:
    if position + count > context:
        raise RuntimeFailed(
            f"{position} + {count} tokens do not fit a context of {context}",
            hint="take a longer context, or a shorter text",
        )


def require_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"the text is no Unicode: {error}", hint="it holds half of a surrogate pair") from error


def require_inputs(ports: Sequence[Port], inputs: Mapping[str, NDArray[Any]]) -> None:
    """RuntimeFailed names the first input that is missing, unknown, or of another type or shape than its port."""
    known = [port.name for port in ports]
    for name in inputs:
        if name not in known:
            raise RuntimeFailed(f"there is no input {name!r}", hint=f"the inputs are {', '.join(known)}")
    for port in ports:
        if port.name not in inputs:
            raise RuntimeFailed(f"the input {port.name!r} is missing")
        array = inputs[port.name]
        if array.dtype != np.dtype(port.dtype):
            raise RuntimeFailed(f"the input {port.name!r} is {array.dtype}, the network takes {port.dtype}")
        wanted = "x".join(map(str, port.shape))
        if array.ndim != len(port.shape):
            raise RuntimeFailed(f"the input {port.name!r} has {array.ndim} dimensions, the network takes {wanted}")
        fixed = zip(array.shape, port.shape, strict=True)
        if any(isinstance(dimension, int) and size != dimension for size, dimension in fixed):
            shape = "x".join(map(str, array.shape))
            raise RuntimeFailed(f"the input {port.name!r} is {shape}, the network takes {wanted}")
