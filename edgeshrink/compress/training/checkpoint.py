"""A run's state in a folder that is there whole or not at all, whatever the number of workers. Imports torch.

    run.json                       where the run is, and what it was told
    log.jsonl                      its curve so far
    parameters-00001.safetensors   everything that is trained, float32, whole
    optimizer-00001.safetensors    moments, named parameter/key

Written aside, then renamed; the one before goes only then. No pickle, so nothing that could run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgeshrink.compress.training.distributed import World, part_of, whole
from edgeshrink.compress.training.memory import SHARD_BYTES
from edgeshrink.compress.training.optimizers import Optimizers
from edgeshrink.compress.training.record import LOG_FILE, write_run
from edgeshrink.compress.training.workdir import CHECKPOINTS, PARTIAL, step_name
from edgeshrink.errors import NO_SPACE, DataError, NoSpace

_PARAMETERS, _OPTIMIZER = "parameters", "optimizer"
_WORDS = "the state of this run is not whole; start it anew in an empty folder"


def save(
    workdir: Path, step: int, data: Mapping[str, Any], objective: Any, optimizers: Optimizers, world: World
) -> Path:
    """The state after `step` as workdir/checkpoints/step-...; all workers call it, one writes. NoSpace: the disk is
    full, and the checkpoint before stands."""
    with _room(workdir):
        return _save(workdir, step, data, objective, optimizers, world)


def _save(
    workdir: Path, step: int, data: Mapping[str, Any], objective: Any, optimizers: Optimizers, world: World
) -> Path:
    done = workdir / CHECKPOINTS / step_name(step)
    aside = done.with_name(done.name + PARTIAL)
    if world.writes:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    parameters = _trained(objective)
    _write(aside, _PARAMETERS, parameters, world)
    _write(aside, _OPTIMIZER, optimizers.moments(), world)
    if world.writes:
        if (workdir / LOG_FILE).is_file():
            shutil.copyfile(workdir / LOG_FILE, aside / LOG_FILE)
        write_run(aside, data)
        shutil.rmtree(done, ignore_errors=True)
        aside.replace(done)
        _sync(done.parent)
        for other in done.parent.iterdir():
            if other != done:
                shutil.rmtree(other, ignore_errors=True)
    return done


def restore(folder: Path, objective: Any, optimizers: Optimizers) -> None:
    """Parameters and moments as `folder` has them, on however many workers there are now. DataError: not whole."""
    with torch.no_grad(), _Reader(folder, _PARAMETERS) as read:
        for name, value in _trained(objective):
            value.copy_(part_of(read(name, value.shape), value))
    with _Reader(folder, _OPTIMIZER) as read:
        for optimizer in optimizers.each:
            for group in optimizer.param_groups:
                for value in group["params"]:
                    name = optimizers.names[value]
                    keys = read.keys_of(name)
                    if keys:
                        optimizer.state[value] = {key: _moment(read, f"{name}/{key}", value) for key in keys}


def _trained(objective: Any) -> Iterator[tuple[str, Tensor]]:
    """The rest is in the student's folder."""
    return ((name, value) for name, value in objective.named_parameters() if value.requires_grad)


def _moment(read: _Reader, name: str, value: Tensor) -> Tensor:
    full = read(name)
    return part_of(full, value) if full.shape == value.shape else full.to(value.device)


def _write(folder: Path, stem: str, named: Iterable[tuple[str, Tensor]], world: World) -> None:
    """Pieces of about SHARD_BYTES, one after the other; every worker takes part in bringing a tensor together."""
    held: dict[str, Tensor] = {}
    nbytes = number = 0

    def flush() -> None:
        nonlocal nbytes, number
        number += 1
        file = folder / f"{stem}-{number:05d}.safetensors"
        save_file(held, file)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        held.clear()
        nbytes = 0

    for name, value in named:
        tensor = whole(value)
        if world.writes:
            held[name] = tensor
            nbytes += tensor.nbytes
            if nbytes >= SHARD_BYTES:
                flush()
    if held:
        flush()


@contextlib.contextmanager
def _room(workdir: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as problem:
        # safetensors says it in words alone.
        if getattr(problem, "errno", None) not in NO_SPACE and os.strerror(errno.ENOSPC) not in str(problem):
            raise
        raise NoSpace(
            f"no room for the state of the training in {workdir}",
            hint="free some space; the same command goes on from the checkpoint before",
        ) from problem


class _Reader:
    """The tensors of all pieces of one kind, by name, mapped."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = folder
        self._files = sorted(folder.glob(f"{stem}-*.safetensors"))
        self._open: dict[str, Any] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Reader:
        for file in self._files:
            handle = self._stack.enter_context(safe_open(str(file), framework="pt"))
            self._open |= dict.fromkeys(handle.keys(), handle)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        handle = self._open.get(name)
        if handle is None:
            raise DataError(f"{self._folder} has no {name}", hint=_WORDS)
        tensor: Tensor = handle.get_tensor(name)
        if shape is not None and tuple(tensor.shape) != tuple(shape):
            raise DataError(
                f"{self._folder}: {name} is {list(tensor.shape)}, the model's is {list(shape)}", hint=_WORDS
            )
        return tensor

    def keys_of(self, name: str) -> list[str]:
        return sorted(held.rpartition("/")[2] for held in self._open if held.rpartition("/")[0] == name)


def _sync(folder: Path) -> None:
    """A rename lasts once the folder that holds the name is on the disk; Windows opens no folder."""
    if os.name == "posix":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
