"""Do two GGUF files hold the same tensors, bit by bit? python same_tensors.py A.gguf B.gguf says how many differ."""

from __future__ import annotations

import sys

import gguf


def differing(left: str, right: str) -> list[str]:
    """Names of tensors that are missing on one side, or differ in type, shape or a bit."""
    ours, theirs = ({t.name: t for t in gguf.GGUFReader(path).tensors} for path in (left, right))
    found = list(ours.keys() ^ theirs.keys())
    for name in ours.keys() & theirs.keys():
        a, b = ours[name], theirs[name]
        same = a.tensor_type == b.tensor_type and a.shape.tolist() == b.shape.tolist()
        if not (same and a.data.tobytes() == b.data.tobytes()):
            found.append(name)
    return found


if __name__ == "__main__":
    names = differing(sys.argv[1], sys.argv[2])
    print("\n".join(names))
    sys.exit(1 if names else 0)
