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


# What a delegate other than the format's own computes; XNNPACK and onnxruntime take every scheme.
_DELEGATES = {"coreml": ("fp32",), "vulkan": ("fp32",)}


def delegate_computes(delegate: str, scheme: str) -> bool:
    """Whether networks of that scheme can be built for that delegate."""
    return scheme in _DELEGATES.get(delegate, (scheme,))
