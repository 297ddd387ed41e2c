"""How networks are quantized, by format: the schemes that `--scheme` takes, from fewest bits to most."""

from __future__ import annotations

from edgeshrink.errors import PlanError

_INTEGER = ("int8", "int8-dynamic", "int8-weight")
NETWORK_SCHEMES: dict[str, tuple[str, ...]] = {
    "executorch": (*_INTEGER, "fp32"),
    "onnx": (*_INTEGER, "fp16", "fp32"),
}


def network_schemes(format: str) -> tuple[str, ...]:
    """The schemes of a format; PlanError where it takes no networks."""
    found = NETWORK_SCHEMES.get(format)
    if found is None:
        raise PlanError(f"{format} takes no networks", hint=f"these do: {', '.join(NETWORK_SCHEMES)}")
    return found
