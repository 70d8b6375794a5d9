"""One annotated face, whatever the dataset it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.markup import Markup
from model.shipped_markups import MARKUPS
from tracker.video.picture_decode import read_picture

# The six WFLW attributes, in the order of the list files.
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
NO_ATTRIBUTES = (0,) * len(ATTRIBUTES)


@dataclass(frozen=True, eq=False)  # comparing arrays gives no truth value
class Sample:
    """One annotated face.

    Attributes:
        image: the picture's file; for COFW the `.mat` file that holds all of them.
        points: landmarks, float64 [K, 2], pixels of the picture; (0, 0) is the CENTRE of the top
            left pixel. NaN where one is not labelled; all NaN where only the box is known.
        box: float64 [4], x_min, y_min, x_max, y_max: the tight box of the landmarks, or what the
            label file has (WFLW: the rectangle of the list).
        source: where the face comes from, for weights and figures by source: "300w/helen", "ytf",
            "wild", "wflw", "cofw".
        attributes: six flags 0/1 in the order of `ATTRIBUTES`; zeros where the dataset has none.
        entry: for pictures inside an HDF5 file, the dataset in it and the index there, for example
            ("IsT", 12); None for a picture that is a file.
        own_markup: of the points, where it is none of those that come with the package.
        upright: the picture was marked as EXIF turns it; today's tools show it so.
        loose_box: the box is another one than the landmarks': training takes both kinds, because
            tracking begins with a detector's box and goes on with the landmarks'.
    """

    image: Path
    points: NDArray[np.float64]
    box: NDArray[np.float64]
    source: str
    attributes: tuple[int, ...] = NO_ATTRIBUTES
    entry: tuple[str, int] | None = None
    own_markup: Markup | None = None
    upright: bool = False
    loose_box: bool = False

    @property
    def markup(self) -> Markup:
        """The markup of the points: their own, or the one with their number."""
        if self.own_markup is not None:
            return self.own_markup
        return next(markup for markup in MARKUPS.values() if markup.points == len(self.points))

    @property
    def has_points(self) -> bool:
        """False for a face of which only the box is known; its points are NaN."""
        return not bool(np.isnan(self.points).all())

    @property
    def name(self) -> str:
        """What messages and tables call this face."""
        if self.entry is None:
            return str(self.image)
        return f"{self.image}, {self.entry[0]}[{self.entry[1]}]"

    def load(self) -> NDArray[np.uint8]:
        """Read the picture.

        Returns:
            [H, W, 3] RGB, uint8.

        Raises:
            InputError: the file is missing or is not a picture.
        """
        if self.entry is not None:
            # Imported here: h5py is needed for COFW only, and cofw.py builds on this file.
            from train.data.hdf5_picture import read_entry  # noqa: PLC0415

            return read_entry(self.image, *self.entry)
        return read_picture(self.image, upright=self.upright)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture as the annotators saw it.

    An EXIF rotation is NOT applied: the datasets were marked in the pixels as they are stored.

    Args:
        path: see `tracker.video.picture_decode`; grey pictures become RGB.

    Returns:
        [H, W, 3] RGB, uint8.

    Raises:
        InputError: the file is missing, too large or no picture.
    """
    return read_picture(path, upright=False)


def tight_box(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest upright box around landmarks [K, 2]: float64 [4], x_min, y_min, x_max, y_max."""
    return np.concatenate([np.nanmin(points, axis=0), np.nanmax(points, axis=0)])
