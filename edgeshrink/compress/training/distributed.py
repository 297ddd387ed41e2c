"""The workers of a run, through torch.distributed: one process, or those that torchrun started. Imports torch.

Data parallelism is PyTorch's own: DistributedDataParallel (Li et al. 2020) or FSDP2's `fully_shard` (Zhao et al. 2023,
each decoder layer a group, the rest the root's). Every job gets a process group of its own inside the store that
torchrun's agent keeps, so that one command may train several times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from edgeshrink.compress.distill.models import decoder_layers
from edgeshrink.compress.training.torchrun import Place
from edgeshrink.core.training import Parallel
from edgeshrink.errors import UsageError


@dataclass(frozen=True, slots=True)
class World:
    """This worker among the others. `place` counts them; `device` is its own."""

    place: Place
    device: torch.device
    store: Any = field(default=None, repr=False)

    @property
    def writes(self) -> bool:
        """One worker alone writes files and tells how it goes."""
        return self.place.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """Each of `values` summed over all workers, in double precision."""
        if self.place.workers == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def agreed(self, value: int) -> int:
        """The first worker's `value`."""
        if self.place.workers == 1:
            return value
        held = torch.tensor([value], dtype=torch.int64, device=self.device)
        dist.broadcast(held, 0)
        return int(held.item())

    def together(self) -> None:
        """Wait for all."""
        if self.place.workers > 1:
            self.agreed(0)

    def parallel(self, module: Any, student: Any, kind: Parallel, *, may_idle: bool) -> Any:
        """`module`, which holds the `student`, with gradients averaged over all workers.

        `may_idle`: some parameters may take no part in a step.
        """
        if self.place.workers == 1:
            return module
        if kind == "fsdp":
            return _sharded(module, student, self.device)
        devices = [self.device.index] if self.device.type == "cuda" else None
        return torch.nn.parallel.DistributedDataParallel(
            module,
            device_ids=devices,
            forward_sync_buffers=False,
            gradient_as_bucket_view=True,
            find_unused_parameters=may_idle,
        )

    def leave(self) -> None:
        """End this job's process group."""
        if self.place.workers > 1 and dist.is_initialized():
            dist.destroy_process_group()


def join(place: Place, job: int, store: Any) -> World:
    """Worker `place` of job number `job`, once all have come."""
    device = worker_device(place)
    if place.workers == 1:
        return World(place, device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=dist.PrefixStore(f"edgeshrink/{place.restart}/job/{job}", store),
        rank=place.rank,
        world_size=place.workers,
        device_id=device if device.type == "cuda" else None,
    )
    return World(place, device, store)


def whole(tensor: Tensor) -> Tensor:
    """A parameter or a moment in the CPU's memory, put together from all workers where it is cut up over them."""
    held = tensor.detach()
    gather = getattr(held, "full_tensor", None)
    return (held if gather is None else gather()).cpu().contiguous()


def part_of(full: Tensor, like: Tensor) -> Tensor:
    """This worker's part of `full`, cut up as `like` is, on its device."""
    there = full.to(like.device)
    if not hasattr(like, "full_tensor"):
        return there
    from torch.distributed.tensor import distribute_tensor

    # None: every worker has read the whole, nothing has to be sent.
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)


@contextlib.contextmanager
def one_exchange(module: Any, last: bool) -> Any:
    """DDP exchanges gradients with the last micro-batch of a step; FSDP2 with every one, since that keeps them cut."""
    waits = isinstance(module, torch.nn.parallel.DistributedDataParallel) and not last
    with module.no_sync() if waits else contextlib.nullcontext():
        yield


def _sharded(module: Any, student: Any, device: torch.device) -> Any:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in decoder_layers(student):
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
    for method in ("held_out", "texts"):
        register_fsdp_forward_method(module, method)
    return module


def worker_device(place: Place) -> torch.device:
    """This worker's GPU where the machine has some, else the CPU. UsageError: more workers than GPUs."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if place.local_rank >= count:
        raise UsageError(
            f"{place.local_workers} workers on a machine with {count} GPU{'s' * (count != 1)}",
            hint=f"torchrun --nproc-per-node {count}",
        )
    return torch.device("cuda", place.local_rank)
