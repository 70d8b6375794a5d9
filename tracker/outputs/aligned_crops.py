"""Write every face of every frame as a small aligned picture."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import CROP_SCALE, crop_image, region_from_landmarks
from model.errors import InputError
from model.files import replacing
from model.markup import Markup
from model.output_lock import claimed, is_lock_file
from tracker.outputs.output import OutputFrame
from tracker.system.closing import Closing
from tracker.tracking.results import Face

CROP_SIZE = 256
_QUALITY = 95  # JPEG; the loss is below what a camera's own compression did


class CropWriter(Closing):
    """Writes crops into a folder, as FRAME_FACE.jpg: 000001_0.jpg is face 0 of the first frame.

    A crop is the upright square around the smoothed landmarks with level eyes: the same cut as the
    network's, so faces stay in place and size from crop to crop. Each appears under its name when
    it is whole; what is there stays when the run is broken off.

    Args:
        folder: made if it does not exist.
        markup: of the landmarks.
        size: side of the crops, pixels.
        overwrite: replace existing crops; otherwise the folder must be empty.

    Raises:
        InputError: the folder cannot be made or is not empty, or the size is not 16 to 4096.
        OutputInUseError: another run writes into it.
    """

    def __init__(
        self, folder: Path, markup: Markup, *, size: int = CROP_SIZE, overwrite: bool = False
    ) -> None:
        if not 16 <= size <= 4096:
            raise InputError(f"crops must be 16 to 4096 pixels wide, not {size}.")
        with ExitStack() as stack:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = stack.enter_context(claimed(folder, folder=True))
                filled = any(not is_lock_file(path) for path in folder.iterdir())
            except OSError as error:
                raise InputError(
                    f"{folder} cannot be a folder for crops: {error.strerror}; choose another one."
                ) from error
            if filled and not overwrite:
                raise InputError(f"{folder} is not empty: name another folder, or add --overwrite.")
            self._claim = stack.pop_all()
        self._folder = folder
        self._markup = markup
        self._size = size

    def write(self, frame: OutputFrame) -> None:
        """Write the crops of a frame.

        Raises:
            InputError: the disk is full or the folder has become unwritable.
        """
        for face in frame.faces:
            name = f"{frame.index + 1:06d}_{face.id}.jpg"
            self._save(name, aligned_crop(frame.image, face, self._markup, self._size))

    def close(self, early: bool = False) -> None:
        """Leave the folder to others."""
        self._claim.close()

    def _save(self, name: str, crop: NDArray[np.uint8]) -> None:
        path = self._folder / name
        bgr = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        with replacing(path, lock=self._lock) as partial:
            partial.write_bytes(encoded.tobytes())


def aligned_crop(
    image: NDArray[np.uint8],
    face: Face,
    markup: Markup,
    size: int = CROP_SIZE,
    scale: float = CROP_SCALE,
) -> NDArray[np.uint8]:
    """The upright square around a face's smoothed landmarks, eyes level.

    Args:
        image: [H, W, 3], uint8, RGB.
        face: with landmarks in its pixels.
        markup: of the landmarks.
        size: side of the crop, pixels.
        scale: side of the square over the long side of the landmarks' box.

    Returns:
        [size, size, 3], uint8, RGB. Outside the image its border is repeated.
    """
    region = region_from_landmarks(face.landmarks, markup.roll(face.landmarks), scale)
    return crop_image(image, region, size)
