"""Peak memory of one loss and its gradient, in a process of its own: distil_memory.py KIND TOKENS VOCABULARY. Linux.

KIND: dense or chunked, of text, online or cached. Prints bytes above what stood before, which is states and heads. The
states are leaves, so that nothing of a decoder is in the figure.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STUDENT, TEACHER = 384, 768


def peak(kind: str, tokens: int, vocabulary: int) -> int:
    """Bytes, from a fresh process."""
    command = [sys.executable, str(Path(__file__)), kind, str(tokens), str(vocabulary)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(kind: str, tokens: int, vocabulary: int) -> int:
    import torch
    from torch.nn import functional

    from edgeshrink.compress.distill.chunked import Dense, chunked_losses
    from edgeshrink.compress.distill.divergences import divergence
    from edgeshrink.compress.distill.mixture import Mix, Sparse

    torch.set_num_threads(2)
    hidden = torch.randn(tokens, STUDENT).requires_grad_()
    head = (torch.randn(vocabulary, STUDENT) * 0.02).requires_grad_()
    theirs = Dense(torch.randn(tokens, TEACHER), torch.randn(vocabulary, TEACHER) * 0.02)
    targets, weights = torch.randint(vocabulary, (tokens,)), torch.ones(tokens)
    entries = Sparse(torch.randint(vocabulary, (tokens, 32)), torch.zeros(tokens, 32), torch.full((tokens, 32), 1 / 32))
    (torch.randn(512, 512) @ torch.randn(512, 512)).sum()  # the libraries' own buffers
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    with torch.autocast("cpu", torch.bfloat16):
        if kind == "dense online":
            with torch.no_grad():
                wanted = functional.linear(theirs.hidden, theirs.head).float().log_softmax(-1)
            found = functional.linear(hidden, head).float().log_softmax(-1)
            total = functional.kl_div(found, wanted, log_target=True, reduction="sum")
        elif kind == "dense text":
            total = functional.cross_entropy(functional.linear(hidden, head).float(), targets, reduction="sum")
        else:
            teacher = {"chunked online": theirs, "chunked cached": entries, "chunked text": None}[kind]
            mix = Mix(divergence("forward", 0.0))
            total = chunked_losses(hidden, head, targets, weights, teacher, mix).total
    total.backward()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"this kernel tells no {name}")


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
