"""In what a training step computes, where nobody has said it."""

from __future__ import annotations

import torch

from model.errors import InputError
from tracker.system.processor import has_bf16_matrices
from train.recipes.run_config import PRECISIONS, TrainingPrecision

HELP = "auto (bf16 where the hardware is fast in it), bf16 (mixed) or f32."


def choose_precision(word: str, device: str) -> TrainingPrecision:
    """What `--precision` means on a device.

    Args:
        word: "auto", "bf16" or "f32".
        device: "auto", "cpu" or "cuda", checked by `check_device`.

    Returns:
        The word, or for "auto" what is faster: bf16 on GPUs that compute in it and on processors
        with matrix units for it. A processor that only has vector instructions for it takes 1.7
        times as long as in f32 (docs/training.md), and one that has none still longer.

    Raises:
        InputError: another word.
    """
    if word in PRECISIONS:
        return word
    if word != "auto":
        raise InputError(f"unknown precision '{word}': use auto, {' or '.join(PRECISIONS)}.")
    if device != "cpu" and torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "f32"
    return "bf16" if has_bf16_matrices() else "f32"
