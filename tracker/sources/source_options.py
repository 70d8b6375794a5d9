"""What a source cannot tell by itself, and how long to wait for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from model.errors import InputError
from tracker.video.picture_size import check_pixels

PIXEL_FORMATS = ("rgb24", "bgr24", "gray")
# 8K and a margin; a larger number is a slip of the finger, and a buffer that does not fit.
_LARGEST = 16384


@dataclass(frozen=True)
class SourceOptions:
    """How to open a source. Options that the kind of source cannot use are an `InputError` there.

    Attributes:
        size: width and height in pixels; asked of a camera, told of raw frames.
        rate: frames per second; asked of a camera, told of raw frames.
        pixel_format: of raw frames, one of `PIXEL_FORMATS`; None is rgb24.
        reconnect: seconds for which to try to get a broken network stream back, 0 or more.
        timeout: seconds without data after which a network stream counts as broken. Longer than
            the gap between two frames of any camera, and than a wireless network's hiccups.

    Raises:
        InputError: a value out of its range.
    """

    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    pixel_format: str | None = None
    # A camera that restarts is back after about 20 s.
    reconnect: float = 30.0
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.size is not None and not all(1 <= side <= _LARGEST for side in self.size):
            width, height = self.size
            raise InputError(
                f"a size of {width}x{height} is not possible: sides are 1 to {_LARGEST} pixels."
            )
        if self.size is not None:
            check_pixels("the source", *self.size)
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise InputError(f"{self.rate} frames per second are not possible: give 0 to 1000.")
        if self.pixel_format is not None and self.pixel_format not in PIXEL_FORMATS:
            known = ", ".join(PIXEL_FORMATS)
            raise InputError(f"no pixel format '{self.pixel_format}': use one of {known}.")
        if not (self.reconnect >= 0 and self.timeout > 0):
            raise InputError("waiting times must be 0 or more seconds, the timeout more than 0.")


# For what needs none; an instance, so that it may be a default argument.
NO_OPTIONS = SourceOptions()


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read "640x480".

    Raises:
        InputError: not such a text.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,6})\s*[xX]\s*(\d{1,6})\s*", text)
    if not found:
        raise InputError(f"'{text}' is not a size: give WIDTHxHEIGHT, such as 640x480.")
    return int(found[1]), int(found[2])


def parse_rate(text: str | None) -> Fraction | None:
    """Read "30", "29.97" or "30000/1001"; two decimals of the 1001 family become its fraction.

    Raises:
        InputError: not such a text.
    """
    if text is None:
        return None
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"'{text}' is not a frame rate: give a number or a fraction, such as 30000/1001."
        ) from error
    # 23.976, 29.97, 59.94: nobody means exactly that.
    nominal = Fraction(round(rate) * 1000, 1001)
    return nominal if rate.denominator > 1 and abs(rate - nominal) < Fraction(1, 200) else rate
