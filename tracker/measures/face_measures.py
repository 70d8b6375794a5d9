"""What a face's landmarks say: pose, openings, blinks; measured frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.markup import AnyMarkup
from model.shipped_markups import get_markup
from tracker.measures.blinks import Blink, BlinkDetector, BlinkOptions
from tracker.measures.head_pose import Pose, estimate_pose
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.openings import eye_openings, interocular, mouth_opening, straight_opening
from tracker.tracking.results import Face

# A face unseen for so long is taken for gone; the tracker never gives its id to another.
_FORGET_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class Measures:
    """What the landmarks of a face say: smoothed ones, but for the eyes.

    Attributes:
        pose: of the head; None where the landmarks allow none.
        eyes: opening of the left and the right eye of the picture, lid distance over eye width;
            NaN, like the next two, where the markup has no such points.
        mouth: opening, distance of the inner lips over the width between the corners.
        interocular: distance of the outer eye corners, pixels.
        blinks: of this face so far.
        blink: the one that ended with this frame, if any.
    """

    pose: Pose | None
    eyes: tuple[float, float]
    mouth: float
    interocular: float
    blinks: int
    blink: Blink | None


class Frame(Protocol):
    """What is measured: a `TrackedFrame`, for example.

    Attributes:
        timestamp: seconds.
        image: [H, W, 3]; only its size matters.
        faces: the faces.
    """

    @property
    def timestamp(self) -> float: ...  # noqa: D102 (see above)

    @property
    def image(self) -> NDArray[np.uint8]: ...  # noqa: D102

    @property
    def faces(self) -> Sequence[Face]: ...  # noqa: D102


class FaceMeasurer:
    """Measures the faces of a source's frames, in their order: it counts blinks.

    Args:
        markup: of the landmarks, or its name.
        camera: the camera's intrinsics; None assumes `DEFAULT_FOV` and the picture's middle.
        fov: field of view to assume without intrinsics, degrees; None for `DEFAULT_FOV`.
        blinks: what counts as a blink.

    Raises:
        InputError: the field of view is not between 1 and 170 degrees (at the first frame).
    """

    def __init__(
        self,
        markup: AnyMarkup,
        camera: Intrinsics | None = None,
        fov: float | None = None,
        blinks: BlinkOptions = BlinkOptions(),  # noqa: B008 (frozen)
    ) -> None:
        self._markup = get_markup(markup)
        self._camera = camera
        self._fov = fov
        self._options = blinks
        self._blinks: dict[int, BlinkDetector] = {}
        self._seen: dict[int, float] = {}

    def camera(self, width: int, height: int) -> Intrinsics:
        """The camera that poses are measured with, for pictures of a size in pixels."""
        if self._camera is not None:
            return self._camera
        if self._fov is None:
            return Intrinsics.from_fov(width, height)
        return Intrinsics.from_fov(width, height, self._fov)

    def __call__(self, frame: Frame) -> list[Measures]:
        """Measure the faces of the next frame.

        Returns:
            The measures of each face, in the order of `frame.faces`.
        """
        height, width = frame.image.shape[:2]
        now, camera = frame.timestamp, self.camera(width, height)
        measures = [self._measure(face, now, camera) for face in frame.faces]
        for number in [n for n, at in self._seen.items() if now - at > _FORGET_SECONDS]:
            del self._seen[number], self._blinks[number]
        return measures

    def _measure(self, face: Face, timestamp: float, camera: Intrinsics) -> Measures:
        # A blink takes a few frames: smoothing would leave half of it.
        eyes = eye_openings(face.raw, self._markup)
        blinks = self._blinks.setdefault(face.id, BlinkDetector(self._options))
        self._seen[face.id] = timestamp
        pose = estimate_pose(face.landmarks, self._markup, camera)
        # Turned by 60 degrees, open eyes have twice the ratio: to look ahead again is no blink.
        opening = (
            straight_opening(face.raw, self._markup, pose.matrix)
            if pose is not None
            else (eyes[0] + eyes[1]) / 2
        )
        blink = blinks(timestamp, opening)
        return Measures(
            pose,
            eyes,
            mouth_opening(face.landmarks, self._markup),
            interocular(face.landmarks, self._markup),
            blinks.count,
            blink,
        )
