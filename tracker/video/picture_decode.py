"""Picture files as pixels, by one way for tracking and training, within bounds of memory."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from tracker.video.avif_boxes import avif_orientation
from tracker.video.picture_header import PictureHeader, read_header

# An annotated picture exists up to three times: as read, as drawn, and as it is encoded. With 9
# bytes per pixel, and what the tracker itself takes, a run stays well below 1 GB. Frames of 8 K
# have 33 million pixels, telephones take up to 50.4 as a rule.
MAX_PIXELS = 52_000_000
# Of a file: 16 bits per channel, uncompressed, of that many pixels.
MAX_BYTES = 6 * MAX_PIXELS


def read_picture_bytes(path: Path) -> tuple[bytes, PictureHeader]:
    """A picture file and its header, of a size that can be decoded.

    Raises:
        InputError: no such file, too large, or no known kind of picture.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"{path} has {size / 1e6:.0f} MB, pictures may have {MAX_BYTES / 1e6:.0f}: make it "
                "smaller, or a video."
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    header = read_header(io.BytesIO(data))
    if header is None:
        raise unreadable(path)
    check_size(header, path)
    return data, header


def check_size(header: PictureHeader, path: Path) -> None:
    """Refuse a picture that would take too much memory.

    Raises:
        InputError: more than `MAX_PIXELS`, or none.
    """
    if not (header.width > 0 and header.height > 0):
        raise unreadable(path)
    if header.width * header.height > MAX_PIXELS:
        raise InputError(
            f"{path} has {header.width}x{header.height} pixels, pictures may have "
            f"{MAX_PIXELS // 1_000_000} million: make it smaller first."
        )


def unreadable(path: Path) -> InputError:
    """What to say about a picture that is damaged or of an unknown kind."""
    return InputError(
        f"{path} is damaged, or a kind of picture that cannot be read here: convert it to PNG or "
        "JPEG."
    )


def read_picture(path: Path, *, upright: bool) -> NDArray[np.uint8]:
    """Read a still picture, or the first of several.

    Args:
        path: any kind that `picture_header` knows; grey and deep pictures become 8-bit RGB,
            transparency is left aside.
        upright: turn it as its file says (EXIF; irot and imir of AVIF). False keeps the pixels as
            they are stored, which is what data sets were marked in; a TIFF is turned even then.

    Returns:
        [H, W, 3], uint8, RGB.

    Raises:
        InputError: no such file, too large, or no picture that can be read.
    """
    data, header = read_picture_bytes(path)
    turn = avif_orientation(data) if upright and header.kind == "avif" else None
    flags = cv2.IMREAD_COLOR_RGB
    if turn is not None or not upright:
        # Where AVIF's own boxes speak, EXIF repeats them or is wrong.
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise unreadable(path) from error
    if image is None or image.dtype != np.uint8:
        raise unreadable(path)
    # Some decoders hand out grey as grey.
    rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    pixels = np.asarray(rgb, np.uint8)
    return turn.apply(pixels) if turn is not None else pixels
