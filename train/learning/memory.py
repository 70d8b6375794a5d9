"""Memory that does not suffice, told from other errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from model.errors import InputError

# How torch begins its sentence on a loading process that died.
LOADER_DIED = "DataLoader worker"


@contextmanager
def memory_suffices(advice: str) -> Iterator[None]:
    """Turn the ways in which torch and Python run out of memory into a sentence.

    Args:
        advice: what to do about it, the end of the sentence.

    Raises:
        InputError: there was not enough memory, or the system killed a loading process for it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's for GPUs is a RuntimeError, too
        text = str(error)
        if LOADER_DIED in text:
            raise InputError(
                f"a loading process died, most likely for want of memory: {advice}"
            ) from error
        if (
            isinstance(error, MemoryError | torch.OutOfMemoryError)
            or "can't allocate memory" in text
        ):
            raise InputError(f"there is not enough memory: {advice}") from error
        raise
