"""How large pictures may be, and in what size those of pixels that are not square are shown."""

from __future__ import annotations

from fractions import Fraction

from model.errors import InputError

# 8K of cinemas. A frame takes 0.1 GB as RGB, and some are on their way at any time; what is larger
# is a slip, or made to fill the memory.
MAX_PIXELS = 8192 * 4320
# Decoders' own option: a frame that would be larger is an error before there is memory for it.
LIMITS = {"max_pixels": str(MAX_PIXELS)}
TOO_LARGE = f"its frames have more than {MAX_PIXELS / 1e6:.0f} million pixels, which are not read"
# Encoders round: what is less off than this is meant to be square, and moves no landmark by a
# hundredth of the face.
_SQUARE = Fraction(1, 100)
# 352 x 576 shown in 16:9 has 2.9; fields stored as frames 1:2. What is beyond no camera or
# standard has.
_LONGEST = 8


def check_pixels(name: str, width: int, height: int) -> None:
    """Look at a size before anything of it is in memory.

    Args:
        name: of the source, for the message.
        width: pixels.
        height: pixels.

    Raises:
        InputError: more than `MAX_PIXELS`.
    """
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{name} has frames of {width}x{height} pixels, and none of more than "
            f"{MAX_PIXELS / 1e6:.0f} million (8192x4320) are read: make it smaller, for example "
            "with ffmpeg -i IN -vf scale=3840:-2 OUT."
        )


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The size in which a picture has square pixels; no side becomes shorter.

    Args:
        width: stored pixels.
        height: stored pixels.
        aspect: width over height of a stored pixel, > 0.

    Returns:
        The size; the same one if the pixels are all but square, or of a shape that cannot be meant.
    """
    if abs(aspect - 1) < _SQUARE or not plausible_aspect(aspect):
        return width, height
    if aspect > 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def plausible_aspect(aspect: Fraction) -> bool:
    """Whether pixels of this width over height exist."""
    return Fraction(1, _LONGEST) <= aspect <= _LONGEST
