"""The picture that a run shows and writes: annotated, alone or beside another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.markup import Markup
from tracker.drawing.draw_faces import draw_faces
from tracker.drawing.style import WHITE, DrawStyle
from tracker.drawing.text_label import draw_label
from tracker.measures.intrinsics import Intrinsics
from tracker.tracking.results import Face

Comparison = Literal["source", "raw"]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
_CAPTION = 0.3  # its size, as a face of this share of the picture's height would have


def parse_comparison(text: str | None) -> Comparison | None:
    """What to put on the left, from the word of the command line; None for nothing.

    Raises:
        InputError: there is no such comparison.
    """
    if text is None or text in COMPARISONS:
        return text
    raise InputError(
        f"cannot compare with '{text}': use source (left: the picture as it is) or raw (left: the "
        "points before smoothing)."
    )


@dataclass(frozen=True)
class Painter:
    """Draws the faces of a frame, and the comparison.

    Attributes:
        markup: of the landmarks.
        style: sizes and colours.
        compare: what is shown on the left: "source", the picture as it is; "raw", the landmarks
            before smoothing; None shows the annotated picture alone.
        camera: width and height of a picture to its camera, for the head's axes.
    """

    markup: Markup
    style: DrawStyle = DrawStyle()  # noqa: RUF009 (frozen)
    compare: Comparison | None = None
    camera: Callable[[int, int], Intrinsics] = Intrinsics.from_fov

    def annotated(
        self, image: NDArray[np.uint8], faces: Sequence[Face], layers: frozenset[str]
    ) -> NDArray[np.uint8]:
        """The annotated picture [H, W, 3], RGB, of an image [H, W, 3], RGB."""
        height, width = image.shape[:2]
        return draw_faces(
            image, faces, self.markup, layers, self.style, camera=self.camera(width, height)
        )

    def __call__(
        self, image: NDArray[np.uint8], faces: Sequence[Face], layers: frozenset[str]
    ) -> NDArray[np.uint8]:
        """The picture to show: that, or [H, 2 W, 3] with the comparison on the left."""
        right = self.annotated(image, faces, layers)
        if self.compare is None:
            return right
        left = image
        if self.compare == "raw":
            raw = [replace(face, landmarks=face.raw) for face in faces]
            left = self.annotated(image, raw, layers)
            for picture, text in ((left, "raw"), (right, "smoothed")):
                draw_label(picture, text, (0.0, 0.0), _CAPTION * len(picture), WHITE)
        return np.hstack([left, right])
