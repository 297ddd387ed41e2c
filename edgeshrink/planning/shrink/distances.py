"""How far bits and pruning each take a model from its source, as far as the rungs that were tried tell. Pure.

One bit more halves the step of a uniform quantizer and quarters its error's power (6 dB a bit: Bennett 1948, "Spectra
of quantized signals"), and a KL divergence grows with the square of a small change; so it falls by 4 with each bit.
Small distances of independent causes add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgeshrink.planning.shrink.tried import Tried

_PER_BIT = 4.0


class Distances:
    """Mean KL in nats a token. `bits` are those of each scheme of the whole model; `plain` the rungs that were built of
    it; `floor` what the budget allows, None where it does not say."""

    def __init__(self, bits: Mapping[str, float], plain: Iterable[Tried], floor: float | None) -> None:
        self._bits, self.floor = bits, floor
        self._known = {
            one.scheme: one.mean_kl
            for one in plain
            if one.mean_kl is not None and one.mean_kl > 0 and one.scheme in bits
        }

    def of_bits(self, scheme: str) -> float | None:
        """By quantizing alone: as measured, else from the nearest rung that was; None where there is none."""
        if scheme in self._known:
            return self._known[scheme]
        if not self._known or scheme not in self._bits:
            return None
        bits = self._bits[scheme]
        nearest = min(self._known, key=lambda name: abs(self._bits[name] - bits))
        return float(self._known[nearest] * _PER_BIT ** (self._bits[nearest] - bits))

    def of_pruning(self, tried: Tried) -> float | None:
        """What is left of its distance beside that of its bits, at least 0."""
        bits = self.of_bits(tried.scheme)
        return None if bits is None or tried.mean_kl is None else max(tried.mean_kl - bits, 0.0)

    def leaves(self, scheme: str, room: float) -> bool:
        """Whether bits alone take at most `room` of the floor; False where nobody knows."""
        bits = self.of_bits(scheme)
        return bits is not None and self.floor is not None and bits <= room * self.floor

    def hopeless(self, scheme: str) -> bool:
        """Whether bits alone are beyond the floor; False where nobody knows."""
        bits = self.of_bits(scheme)
        return bits is not None and self.floor is not None and bits > self.floor
