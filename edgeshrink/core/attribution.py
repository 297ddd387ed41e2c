"""Where a loss comes from: what comes back when some tensors are put back to the reference's precision."""

from __future__ import annotations

from dataclasses import dataclass

from edgeshrink.core.reading import Measured, Reading

ALL_TENSORS = "all tensors"
"""The group of every tensor that differs: what it does not give back lies in no weight, but in the file's metadata, its
tokenizer or its runtime."""
_NEARLY_AS_MUCH = 0.75


@dataclass(frozen=True, slots=True)
class Source:
    """A group of tensors ("blk.3", "blk.3.ffn_down") at the reference's precision, all others as they were.

    `returned`: the share of the slice's loss that is gone then; 1 is all of it, below 0 it got worse. `extra_bytes`:
    how much larger the file would be with the group kept at `type`.
    """

    group: str
    tensors: tuple[str, ...]
    returned: Reading
    type: str
    extra_bytes: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """Of one slice: its sources, the one that gives most back first."""

    slice: str
    metric: str
    loss: Reading
    sources: tuple[Source, ...]

    @property
    def main(self) -> Source | None:
        """The one of fewest bytes that gives back nearly as much as the best; None where none gives anything back."""
        shares = [(one.returned.value, one) for one in self.sources if isinstance(one.returned, Measured)]
        best = max((share for share, _ in shares), default=0.0)
        if best <= 0:
            return None
        enough = [(share, one) for share, one in shares if share >= _NEARLY_AS_MUCH * best]
        return min(enough, key=lambda pair: (pair[1].extra_bytes, -pair[0]))[1]
