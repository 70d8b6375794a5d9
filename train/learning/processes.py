"""Several processes (torchrun) or one: the same code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from model.errors import InputError

# How long a process waits for another: the leading one evaluates alone, and on a processor the
# large network takes a while for thousands of faces.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class World:
    """This process among all.

    Attributes:
        rank: number of this process.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """True in the one process that evaluates and writes files."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over all processes."""
        if self.size == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.size

    def agree(self, value: float) -> float:
        """The leading process's value, in every process: clocks differ, decisions must not."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return float(shared.item())


def check_device(device: str) -> None:
    """Find out that a device cannot be used before any work starts.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: another name, or no GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device '{device}': use auto, cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is visible to torch: use --device cpu.")


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started; without torchrun, be the only one.

    Args:
        device: "auto", "cpu" or "cuda".

    Yields:
        This process's place.

    Raises:
        InputError: more processes than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    use_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device("cuda", local) if use_cuda else torch.device("cpu")
    if use_cuda:
        if local >= torch.cuda.device_count():
            raise InputError(
                f"process {local} has no GPU of its own, there are {torch.cuda.device_count()}: "
                "start as many processes as GPUs, or use --device cpu."
            )
        torch.cuda.set_device(place)
    if size == 1:
        yield World(0, 1, place)
        return
    distributed.init_process_group("nccl" if use_cuda else "gloo", timeout=_PATIENCE)
    try:
        yield World(distributed.get_rank(), size, place)
    finally:
        distributed.destroy_process_group()
