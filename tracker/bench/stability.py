"""How steady the landmarks are: still and moving sequences of the portrait with a known truth.

The portrait has no manual landmarks. What the network itself says about it, averaged over slightly
shifted, turned and zoomed views, stands in for the truth: the figures say how steady and how
prompt the tracker is, not how right. A sequence is
- still: the same picture with new camera noise and JPEG compression in every frame,
- moving: the picture under a smooth similarity motion at 0.5 Hz (shift, roll and zoom).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.crop import Region, from_crop
from model.errors import InputError
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame
from tracker.tracking.face_parts import parts
from tracker.tracking.face_tracker import Tracker
from tracker.tracking.landmark_network import LandmarkNetwork
from tracker.tracking.options import TrackerOptions
from tracker.tracking.smoothing import SMOOTHING, FaceFilter

SIZE = 480  # of the frames, pixels
RATE = 30.0  # frames per second
STILL_FRAMES, MOVING_FRAMES = 60, 90  # 2 s; 3 s, which is one and a half rounds of the motion
SKIPPED = 5  # frames in which filters warm up
_NOISE, _JPEG = 3.0, 85  # grey levels and quality: a webcam in a lit room
_SWAY_HZ = 0.5
_SHIFT, _ROLL, _ZOOM = 0.12, np.deg2rad(10.0), 0.08  # swings; shift as a share of the frame
_ZOOMED = 1.7  # the portrait's face fills a third of the frame then
_FACE = np.array([224.0, 125.0])  # centre of the face in the portrait, pixels
_FACE_SIDE = 110.0  # of its landmarks' box, pixels
_VIEWS = 25  # for the truth; their spread around the mean is 0.6 % of the eye distance


@dataclass(frozen=True)
class Steadiness:
    """Figures of one preset; distances in % of the outer eye corners' distance.

    Attributes:
        jitter: still sequence, root mean square of the motion between frames.
        lag_ms: moving sequence, how far the points are behind the true motion; negative: ahead.
        flicker: moving sequence, root mean square change of the error between frames.
        nme: moving sequence, mean distance from the truth.
    """

    jitter: float
    lag_ms: float
    flicker: float
    nme: float


def measure_stability(
    weights: str, engine: str, options: TrackerOptions | None = None
) -> dict[str, Steadiness]:
    """Figures of every smoothing preset with a network.

    The network runs once over the sequences, without smoothing; every preset gets the same
    landmarks.

    Args:
        weights: a shipped name or a path.
        engine: name of the engine.
        options: of the tracker, but for its smoothing.

    Returns:
        Preset -> figures.

    Raises:
        InputError: unusable weights or engine, or a network that loses the portrait's face.
    """
    image = portrait_image()
    unsmoothed = replace(options or TrackerOptions(), smoothing="off")
    with Tracker(weights, engine, unsmoothed) as tracker:
        truth = _truth(tracker, image)
        still = [_placing(0.0)] * STILL_FRAMES
        moving = [_placing(i / RATE, 1.0) for i in range(MOVING_FRAMES)]
        rng = np.random.default_rng(0)
        raw_still = _track(tracker, (_noisy(_frame(image, m), rng) for m in still))
        raw_moving = _track(tracker, (_frame(image, m) for m in moving))
        part = parts(tracker.markup)
        normalizer = tracker.markup.normalizer
    true_still, true_moving = (
        np.array([truth @ m[:, :2].T + m[:, 2] for m in placings]) for placings in (still, moving)
    )
    zooms = np.array([np.sqrt(np.linalg.det(m[:, :2])) for m in moving])
    figures = {}
    for name, preset in SMOOTHING.items():
        results = []
        for raw in (raw_still, raw_moving):
            smooth: Callable[[NDArray[np.float64], float], NDArray[np.float64]]
            smooth = FaceFilter(preset, part) if preset else _unchanged
            results.append(np.array([smooth(p, i / RATE) for i, p in enumerate(raw)]))
        eyes_still, eyes_moving = normalizer(true_still), normalizer(true_moving)
        # Errors in the portrait's own axes, so that turning and zooming alone change nothing.
        back = np.array([np.linalg.inv(m[:, :2]) for m in moving])
        errors = np.einsum("tij,tkj->tki", back, results[1] - true_moving)
        distances = np.linalg.norm(results[1] - true_moving, axis=-1)
        figures[name] = Steadiness(
            jitter=_rms(np.diff(results[0], axis=0) / eyes_still[1:, None, None]),
            lag_ms=_lag(results[1], true_moving) * 1000 / RATE,
            flicker=_rms(np.diff(errors, axis=0) * (zooms / eyes_moving)[0]),
            nme=100 * float((distances / eyes_moving[:, None])[SKIPPED:].mean()),
        )
    return figures


def _placing(time: float, swing: float = 0.0) -> NDArray[np.float64]:
    """[2, 3] portrait to frame pixels; with `swing` 1 the motion at a time."""
    phase = 2 * np.pi * _SWAY_HZ * time
    zoom = _ZOOMED * (1 + swing * _ZOOM * np.sin(phase + 2 * np.pi / 3))
    roll = swing * _ROLL * np.sin(phase + np.pi / 4)
    centre = SIZE / 2 + swing * _SHIFT * SIZE * np.array([np.sin(phase), np.cos(phase)])
    return _similarity(zoom, roll, centre)


def _similarity(zoom: float, roll: float, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, centre - linear @ _FACE])


def _frame(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    return portrait_frame(image, matrix, (SIZE, SIZE))


def _noisy(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    grainy = np.clip(np.rint(image + rng.normal(0, _NOISE, image.shape)), 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, _JPEG])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)


def _truth(tracker: Tracker, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[K, 2] landmarks in portrait pixels: the mean over views of the clean, upright portrait."""
    rng = np.random.default_rng(0)
    network = LandmarkNetwork(tracker.engine, tracker.options.decoder)
    views = []
    for _ in range(_VIEWS):
        centre = SIZE / 2 + rng.uniform(-0.5, 0.5, 2) * 0.1 * _ZOOMED * _FACE_SIDE
        matrix = _similarity(_ZOOMED * rng.uniform(0.92, 1.08), rng.uniform(-0.1, 0.1), centre)
        region = Region(SIZE / 2, SIZE / 2, 1.3 * _ZOOMED * _FACE_SIDE)
        # The second look is centred on the face, as in tracking.
        (first,) = network(_frame(image, matrix), [region])
        (seen,) = network(_frame(image, matrix), [first.next_region])
        views.append(from_crop(seen.landmarks, matrix))
    return np.asarray(np.mean(views, axis=0), dtype=np.float64)


def _track(tracker: Tracker, frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """[T, K, 2] raw landmarks of a sequence."""
    tracker.reset()
    rows = []
    for index, frame in enumerate(frames):
        faces = tracker(frame, index / RATE)
        if not faces:
            raise InputError(
                f"the network {tracker.engine.info.name} loses the portrait's face in frame "
                f"{index}: its steadiness cannot be measured."
            )
        rows.append(faces[0].raw.astype(np.float64))
    return np.array(rows)


def _unchanged(points: NDArray[np.float64], _: float) -> NDArray[np.float64]:
    return points


def _rms(steps: NDArray[np.float64]) -> float:
    return 100 * float(np.sqrt(np.mean((steps[SKIPPED:] ** 2).sum(axis=-1))))


def _lag(points: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Frames by which the mean point is behind, by least squares on the true velocity."""
    velocity = np.gradient(truth.mean(axis=1), axis=0)[SKIPPED:]
    error = (points - truth).mean(axis=1)[SKIPPED:]
    velocity, error = velocity - velocity.mean(axis=0), error - error.mean(axis=0)
    return float(-(error * velocity).sum() / (velocity**2).sum())
