"""The base of all observers: hooks that always come off, and how a decoder's parts are found. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self


class Observing:
    """A context: `hooks` are hung on `model` (a transformers *ForCausalLM) for as long as it lasts."""

    def __init__(self, model: Any) -> None:
        self.layers = list(model.model.layers)
        self.model = model
        self._handles: list[Any] = []

    def hooks(self) -> Iterator[Any]:
        """Registers each hook and yields its handle."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self._handles.extend(self.hooks())
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()


def norms_of(model: Any) -> list[Any]:
    """The RMSNorms over the hidden state, in the order they are computed: two a layer, and the last one."""
    inner = model.model
    pairs = [(layer.input_layernorm, layer.post_attention_layernorm) for layer in inner.layers]
    return [norm for pair in pairs for norm in pair] + [inner.norm]


def first(output: Any) -> Any:
    """The hidden state in what a layer returns: itself, or the first of a tuple in older transformers."""
    return output[0] if isinstance(output, tuple) else output
