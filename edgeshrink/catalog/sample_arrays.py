"""Samples from .npz files: arrays by input name, one sample or a stack of them in a file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeshrink.catalog.sample_gathering import Tick, gather, no_tick
from edgeshrink.catalog.sample_states import state_pairs
from edgeshrink.catalog.samples import Sample, Samples, describe, divide, fits
from edgeshrink.core.network import NetworkFacts, Port
from edgeshrink.errors import DataError

SUFFIX = ".npz"
LABEL = "label"


def read_arrays(
    files: list[Path],
    facts: NetworkFacts,
    folder: Path,
    *,
    calibration: int,
    evaluation: int,
    seed: int,
    tick: Tick = no_tick,
) -> tuple[Samples, Samples]:
    """See `sample_reading.read_samples`.

    A file holds one sample (every array as its input takes it) or a stack (every array with one more dimension in
    front; what has none is the same for all). "label" is a whole number, one a sample. A stack that leaves out a state
    which the network hands on is a sequence: its samples stay in order. The whole first part of all goes to calibration
    then, the beginning of the rest to evaluation (more than asked for, and than the memory should hold with their
    states: whoever has the states thins them out, and alone calls `tick`).
    """
    stacks = [_read(file, facts) for file in files]
    states = set(state_pairs(facts.inputs, facts.outputs))
    sequence = any(states - set(stack[0].arrays) for stack in stacks)
    if sequence:
        ordered = [sample for stack in stacks for sample in _in_order(stack)]
        count = len(ordered) * calibration // max(1, calibration + evaluation)
        parts = [tuple(ordered[:count]), tuple(ordered[count : count + evaluation])]
        kind = f"samples, in order with the state carried, of {folder.name}"
        return Samples(parts[0], f"{len(parts[0])} {kind}"), Samples(parts[1], f"{len(parts[1])} {kind}")
    groups: dict[int | None, list[Sample]] = {}
    for sample in (sample for stack in stacks for sample in stack):
        groups.setdefault(sample.label, []).append(sample)
    first, second = divide(list(groups.values()), calibration=calibration, evaluation=evaluation, seed=seed)
    kind = f"samples of {folder.name}"
    return (
        gather("calibration", first, len(first), kind, tick=tick),
        gather("evaluation", second, len(second), kind, tick=tick),
    )


def _in_order(stack: tuple[Sample, ...]) -> tuple[Sample, ...]:
    return tuple(Sample(sample.arrays, sample.label, index == 0) for index, sample in enumerate(stack))


def _read(file: Path, facts: NetworkFacts) -> tuple[Sample, ...]:
    try:
        with np.load(file, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as problem:
        raise DataError(
            f"{file} cannot be read as an .npz file of plain arrays: {problem}", hint="write it with numpy.savez"
        ) from problem
    names = [port.name for port in facts.inputs]
    labels = arrays.pop(LABEL, None) if LABEL not in names else None
    wanted = ", ".join(map(describe, facts.inputs))
    unknown = [name for name in arrays if name not in names]
    if unknown:
        raise DataError(f"{file}: the network has no input {unknown[0]}", hint=f"its inputs: {wanted}")
    states = state_pairs(facts.inputs, facts.outputs)
    missing = [name for name in names if name not in arrays and name not in states]
    if missing:
        raise DataError(f"{file} has no array {missing[0]}", hint=f"the network's inputs: {wanted}")
    ports = [port for port in facts.inputs if port.name in arrays]
    if not ports:
        raise DataError(f"{file} is empty", hint=f"the network's inputs: {wanted}")
    typed = {port.name: _typed(file, port, arrays[port.name]) for port in ports}
    return _stack(file, ports, typed, labels)


def _stack(
    file: Path, ports: list[Port], arrays: Mapping[str, NDArray[Any]], labels: NDArray[Any] | None
) -> tuple[Sample, ...]:
    whole = {port.name for port in ports if fits(port, arrays[port.name].shape)}
    stacked = [port for port in ports if port.name not in whole]
    for port in stacked:
        shape = arrays[port.name].shape
        if not shape or not fits(port, shape[1:]):
            raise DataError(
                f"{file}: {port.name} is {' x '.join(map(str, shape)) or 'a scalar'}, expected {describe(port)}, or "
                "a stack of those"
            )
    sizes = {len(arrays[port.name]) for port in stacked}
    if len(sizes) > 1:
        raise DataError(f"{file}: its arrays are stacks of {' and '.join(map(str, sorted(sizes)))} samples")
    count = sizes.pop() if sizes else 1
    _agree(file, ports, {name: array.shape if name in whole else array.shape[1:] for name, array in arrays.items()})
    numbers = _labels(file, labels, count)
    return tuple(
        Sample(
            {name: array if name in whole else array[index] for name, array in arrays.items()},
            None if numbers is None else numbers[index],
        )
        for index in range(count)
    )


def _agree(file: Path, ports: Sequence[Port], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """DataError where a named dimension has two sizes in one sample."""
    seen: dict[str, tuple[int, str]] = {}
    for port in ports:
        for name, size in zip(port.shape, shapes[port.name], strict=True):
            if not isinstance(name, str) or not name:
                continue
            first, where = seen.setdefault(name, (size, port.name))
            if first != size:
                raise DataError(
                    f'{file}: the dimension "{name}" is {first} in {where} and {size} in {port.name}',
                    hint="in one sample a named dimension has one size: "
                    + ", ".join(describe(entry) for entry in ports if name in entry.shape),
                )


def _labels(file: Path, labels: NDArray[Any] | None, count: int) -> list[int] | None:
    if labels is None:
        return None
    numbers = np.atleast_1d(labels)
    if numbers.shape != (count,) or not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"{file}: label is {labels.dtype} {labels.shape}, expected {count} whole numbers")
    return [int(number) for number in numbers]


def _typed(file: Path, port: Port, array: NDArray[Any]) -> NDArray[Any]:
    wanted = np.dtype(port.dtype)
    if array.dtype != wanted and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise DataError(f"{file}: {port.name} is {array.dtype}, expected {describe(port)}")
    return np.ascontiguousarray(array.astype(wanted)).reshape(array.shape)
