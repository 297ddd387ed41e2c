"""Samples from lines of text, through the tokenizer.json that lies beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.sample_gathering import Role, Tick, gather, no_tick
from edgeshrink.catalog.samples import Sample, Samples, describe, divide
from edgeshrink.catalog.texts import Text, calibration_default, evaluation_text
from edgeshrink.core.network import NetworkFacts, Port
from edgeshrink.errors import DataError

SUFFIX = ".txt"
LONGEST = 128
"""Tokens of a sample, where the network takes more."""
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_PADS = ("[PAD]", "<pad>", "<|endoftext|>")
_SHORTEST_LINE = 20  # characters; headings and page numbers say little


def read_texts(
    files: list[Path],
    facts: NetworkFacts,
    folder: Path,
    *,
    calibration: int,
    evaluation: int,
    seed: int,
    tick: Tick = no_tick,
) -> tuple[Samples, Samples]:
    """See `sample_reading.read_samples`. A line is a sample; the same line twice counts once."""
    encode = _Encoder(facts)
    lines: dict[str, None] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as problem:
            raise DataError(f"{file} is not UTF-8 text (byte {problem.start})") from problem
        lines |= dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
    first, second = divide([list(lines)], calibration=calibration, evaluation=evaluation, seed=seed)
    kind = f"lines of text in {folder.name}"
    return (
        gather("calibration", map(encode, first), len(first), kind, tick=tick),
        gather("evaluation", map(encode, second), len(second), kind, tick=tick),
    )


def shipped_texts(
    facts: NetworkFacts, *, calibration: int, evaluation: int, seed: int, tick: Tick = no_tick
) -> tuple[Samples, Samples]:
    """Samples from the two texts that ship with edgeshrink: one to calibrate with, the other to evaluate with."""
    encode = _Encoder(facts)

    def part(role: Role, text: Text, count: int) -> Samples:
        lines = {line.strip() for line in text.text.splitlines() if len(line.strip()) >= _SHORTEST_LINE}
        usable = sorted(line for line in lines if not line.startswith("<|"))
        chosen, _ = divide([usable], calibration=min(count, len(usable)), evaluation=0, seed=seed)
        return gather(role, map(encode, chosen), len(chosen), f"lines of the {text.name}", tick=tick)

    first, second = (
        part("calibration", calibration_default(), calibration),
        part("evaluation", evaluation_text(), evaluation),
    )
    known = {_key(sample) for sample in first.items}
    rest = tuple(sample for sample in second.items if _key(sample) not in known)
    origin = second.origin.replace(f"{len(second.items)} ", f"{len(rest)} ", 1)
    return first, Samples(rest, origin)


def takes_text(facts: NetworkFacts) -> bool:
    """Whether lines of text can become this network's inputs."""
    named = all(port.name in _INPUTS and len(port.shape) == 2 for port in facts.inputs)
    return named and any(port.name == "input_ids" for port in facts.inputs) and tokenizer_file(facts) is not None


def tokenizer_file(facts: NetworkFacts) -> Path | None:
    """tokenizer.json of the folder, or beside the file."""
    if facts.source.kind == "function":
        return None
    path = facts.source.path
    file = (path if facts.source.kind == "huggingface" else path.parent) / "tokenizer.json"
    return file if file.is_file() else None


class _Encoder:
    """A line of text to a sample: special tokens, cut to the longest the network takes, one segment."""

    def __init__(self, facts: NetworkFacts) -> None:
        file = tokenizer_file(facts)
        if not takes_text(facts) or file is None:
            why = "there is no tokenizer.json beside it" if file is None else "its inputs are others"
            raise DataError(
                f"text cannot become the inputs of {facts.source.given} "
                f"({', '.join(map(describe, facts.inputs))}): {why}",
                hint="give .npz files with arrays by input name",
            )
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_file(str(file))
        except Exception as problem:  # the library raises Exception itself
            raise DataError(f"{file} is not a tokenizer: {problem}", hint="fetch the file again") from problem
        self._ports: Sequence[Port] = facts.inputs
        size = facts.inputs[0].shape[1]
        limits = {name: high for name, _, high in facts.limits}
        self._fixed = size if isinstance(size, int) else None
        longest = size if isinstance(size, int) else min(LONGEST, limits.get(size, LONGEST))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        pads = (self._tokenizer.token_to_id(name) for name in _PADS)
        self._pad = next((pad for pad in pads if pad is not None), 0)

    def __call__(self, line: str) -> Sample:
        ids = self._tokenizer.encode(line).ids
        rest = max(0, (self._fixed or 0) - len(ids))
        values: dict[str, list[int]] = {
            "input_ids": [*ids, *[self._pad] * rest],
            "attention_mask": [1] * len(ids) + [0] * rest,
            "token_type_ids": [0] * (len(ids) + rest),
        }
        arrays: dict[str, NDArray[Any]] = {
            port.name: np.array([values[port.name]], dtype=port.dtype) for port in self._ports
        }
        return Sample(arrays)


def _key(sample: Sample) -> bytes:
    return np.asarray(sample.arrays["input_ids"]).tobytes()
