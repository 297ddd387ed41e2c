"""How much of a finished file its delegate computes, and what was left to the runtime's own operators."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delegation:
    """Read from the finished file, not from what was asked for.

    `asked` is the delegate of the plan (xnnpack, coreml, vulkan, cpu, cuda); `operators` and `weight_bytes` count the
    whole file, `delegated_operators` and `delegated_weight_bytes` the delegate's part. `left` are the operators that
    stayed outside, most frequent first, with their count. `duplicates` names tensors that stand in the file more than
    once, with the bytes lost. `runs_here` False: lowered ahead of time and inspected, never run on this machine.
    """

    asked: str
    delegated_operators: int
    operators: int
    delegated_weight_bytes: int
    weight_bytes: int
    left: tuple[tuple[str, int], ...]
    duplicates: tuple[tuple[str, int], ...]
    runs_here: bool

    @property
    def operator_share(self) -> float:
        return self.delegated_operators / self.operators if self.operators else 0.0

    @property
    def weight_share(self) -> float:
        return self.delegated_weight_bytes / self.weight_bytes if self.weight_bytes else 0.0
