"""States: inputs that take what the network gave as an output before, known by their names, types and shapes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeshrink.core.network import Port

# How exporters call a state that a network hands on: h0 -> hn, state -> stateN, past_x -> present_x.
_IN = re.compile(r"^(in|past|prev|previous)_|_?(in|prev|past|old|0)$")
_OUT = re.compile(r"^(out|present|next|new)_|_?(out|next|new|present|n|1)$")
# The words of one letter stand alone: an image x that comes back as x_out is no state.
_STATE = re.compile(r"state|hidden|cache|memory|(?<![a-z])(h|hx|c|cx|cell|mem|carry|past|present)(?![a-z])")


def state_pairs(inputs: Sequence[Port], outputs: Sequence[Port]) -> dict[str, str]:
    """{input: output} of the states that a network hands on: same type and shape, and names that say so. None where
    every input would be a state: nothing else would come in then."""
    pairs: dict[str, str] = {}
    for port in inputs:
        name = port.name.lower()
        stem = _IN.sub("", name)
        if not stem or not (_STATE.search(name) or _STATE.search(stem)):
            continue
        for output in outputs:
            same = output.dtype == port.dtype and output.shape == port.shape
            if same and _OUT.sub("", output.name.lower()) == stem and output.name not in pairs.values():
                pairs[port.name] = output.name
                break
    return pairs if len(pairs) < len(inputs) else {}
