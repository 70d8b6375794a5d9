"""Picture files as pixels, by one way for tracking and training, within bounds of memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags
from PIL.ImageFile import ImageFile

from model.errors import InputError
from tracker.video.decoded_frame import UPRIGHT, Orientation
from tracker.video.picture_header import (
    DAMAGE,
    PictureHeader,
    damage_unsaid,
    open_picture,
    read_header,
)

# An annotated picture exists up to three times: as read, as drawn, and as it is encoded. With 9
# bytes per pixel, and what the tracker itself takes, a run stays well below 1 GB. Frames of 8 K
# have 33 million pixels, telephones take up to 50.4 as a rule.
MAX_PIXELS = 52_000_000
# Of a file: 16 bits per channel, uncompressed, of that many pixels.
MAX_BYTES = 6 * MAX_PIXELS
# EXIF 2.32, tag 274: what has to be done to the stored pixels.
_TURNS = {
    2: Orientation(False, True, False),
    3: Orientation(False, True, True),
    4: Orientation(False, False, True),
    5: Orientation(True, False, False),
    6: Orientation(True, True, False),
    7: Orientation(True, True, True),
    8: Orientation(True, False, True),
}


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
    try:
        image = open_picture(data, header)
        stored = pixels(image)
    except DAMAGE as error:
        raise unreadable(path) from error
    if not upright or header.kind == "tiff":
        return stored
    return _TURNS.get(_orientation(image), UPRIGHT).apply(stored)


def pixels(image: ImageFile) -> NDArray[np.uint8]:
    """Decode a picture, or the page of it that was sought.

    Returns:
        [H, W, 3], uint8, RGB, as stored.

    Raises:
        ValueError: its range is unknown: 32 bits, or floats.
        One of `DAMAGE`.
    """
    with damage_unsaid():
        image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ValueError("range of the pixels")
    # One colour or a table of them that stands for nothing: no conversion keeps it, some warn.
    image.info.pop("transparency", None)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def _orientation(image: ImageFile) -> int:
    """EXIF's, 1..8. Pillow tells irot and imir of AVIF as such; EXIF repeats them or is wrong."""
    try:
        with damage_unsaid():
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except DAMAGE:  # of what nobody needs
        return 1
