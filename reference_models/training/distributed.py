"""Training by several processes that torchrun has started, on one machine or more: torch's process groups and DDP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """The processes that train together, as one of them sees them; alone by default.

    `device` is where tensors have to lie to be sent: None is the CPU. Every method that talks to the others has to be
    called by all of them, in the same order.
    """

    rank: int = 0
    count: int = 1
    device: torch.device | None = None

    @property
    def is_first(self) -> bool:
        """Whether this one validates, writes files and reports."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over the processes."""
        return module if self.count == 1 else DistributedDataParallel(module)

    def sum(self, value: float) -> float:
        """The sum of a number over the processes."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return float(total)

    def from_first(self, value: Value) -> Value:
        """What the first process has; the others' values don't matter."""
        if self.count == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, device=self.device)
        return shared[0]


def _is_one_of_several() -> bool:
    """Whether torchrun started this process, and others with it."""
    return distributed.is_available() and distributed.is_torchelastic_launched() and int(os.environ["WORLD_SIZE"]) > 1


def is_first_process() -> bool:
    """Whether this process will be the first of those that train together, which it is if it is alone."""
    return not _is_one_of_several() or int(os.environ["RANK"]) == 0


def local_device(device: torch.device) -> torch.device:
    """The device of this process: with torchrun each process of a machine has a GPU of its own."""
    if device.type == "cuda" and _is_one_of_several():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Joins the processes that torchrun started, and leaves them at the end; this one alone without torchrun."""
    if not _is_one_of_several():
        yield Processes()
        return
    if on_gpu := device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device if on_gpu else None)
    finally:
        distributed.destroy_process_group()
