"""What a device can do at most, where measuring it takes torch: GPUs, and bf16 on processors."""

from __future__ import annotations

import torch

from tracker.bench.device_limit import Device, Limit, fastest

# Large enough for the matrix units. A processor's are of 0.1 to 30 ms: the short ones are the less
# interrupted by other programs.
_SIDES: dict[Device, tuple[int, ...]] = {"cpu": (256, 512, 1536), "cuda": (8192,)}
# Far beyond any cache, in 32-bit numbers: 256 MB.
_LENGTH = 1 << 26


def torch_limit(device: Device, width: int) -> Limit:
    """Measure a device; callers want `tracker.bench.roofline.measure_limit`.

    Args:
        device: "cpu" or "cuda".
        width: bytes of a number; 2 is bf16 on a processor, f16 on a GPU.
    """
    half = torch.float16 if device == "cuda" else torch.bfloat16
    kind = half if width == 2 else torch.float32
    source = torch.ones(_LENGTH, device=device)
    target = torch.empty_like(source)

    def speed(side: int) -> float:
        left, right = (torch.ones(side, side, dtype=kind, device=device) for _ in range(2))

        def product() -> None:
            torch.matmul(left, right)
            _wait(device)

        return side**3 / fastest(product)

    def copy() -> None:
        target.copy_(source)
        _wait(device)

    # TF32 would be another number format.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False), torch.inference_mode():
        return Limit(max(map(speed, _SIDES[device])), 2 * source.nbytes / fastest(copy))


def _wait(device: Device) -> None:
    """A GPU returns before it is done."""
    if device == "cuda":
        torch.cuda.synchronize()
