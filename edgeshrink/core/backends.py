"""Which backend was asked for, and whether it is the one that ran. Runtimes name theirs each in its own way."""

from __future__ import annotations

import re

_NAMES = {"metal": ("metal", "mtl"), "coreml": ("coreml", "coremlbackend")}
_HOST = ("cpu", "blas", "accelerate", "portable")


def backend_is(asked: str, backend: str) -> bool:
    """Whether `backend`, as a runtime says what computed ("CUDA0+CPU", "xnnpack"), is the delegate `asked`.

    Operators that a delegate leaves to the CPU beside it do not count against it, up to half of them, where the
    runtime counts: "cuda+cpu (12 of 340 nodes)" fell back with 12. "gpu" is any that is no CPU.
    """
    if fallen := re.search(r"\((\d+) of (\d+) nodes\)", backend):
        if asked != "cpu" and 2 * int(fallen[1]) > int(fallen[2]):
            return False
        backend = backend[: fallen.start()]
    parts = [part for part in re.split(r"[+,/ ]+", backend.lower()) if part]
    if asked == "cpu":
        return all(part.startswith((*_HOST, "xnnpack")) for part in parts) and bool(parts)
    if asked == "gpu":
        return any(not part.startswith((*_HOST, "xnnpack")) for part in parts)
    return any(part.startswith(_NAMES.get(asked, (asked,))) for part in parts)
