"""How far the student's distribution of the next token is from the teacher's: one divergence a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeshrink.compress.distill.divergences.forward import Forward
from edgeshrink.compress.distill.divergences.interface import Divergence
from edgeshrink.compress.distill.divergences.jsd import JensenShannon
from edgeshrink.compress.distill.divergences.reverse import Reverse
from edgeshrink.compress.distill.divergences.skew_forward import SkewForward
from edgeshrink.compress.distill.divergences.skew_reverse import SkewReverse
from edgeshrink.errors import UsageError

_SKEWED: Mapping[str, Callable[[float], Divergence]] = {
    "skew-forward": SkewForward,
    "skew-reverse": SkewReverse,
    "jsd": JensenShannon,
}


def divergence(name: str, skew: float) -> Divergence:
    """The divergence that `core.training.Divergence` calls so. UsageError where the skew is out of its range."""
    if name == "forward":
        return Forward()
    if name == "reverse":
        return Reverse()
    if name not in _SKEWED:
        raise UsageError(f"there is no divergence {name}", hint=f"one of forward, reverse, {', '.join(_SKEWED)}")
    if not 0 <= skew < 1 or (name == "jsd" and skew == 0):
        raise UsageError(f"the skew of {name} is a number between 0 and 1, not {skew:g}")
    return _SKEWED[name](skew)
