"""The mean of a look and a look in the mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model.crop import Region
from model.decoder import Decoder
from model.markup import Markup
from model.shipped_markups import WFLW
from tests.support.tracked_scene import TEMPLATE
from tracker import Face, Tracker, TrackerOptions, create_engine
from tracker.assets.portrait import portrait_image
from tracker.engines.base import Engine, ModelInfo, Points
from tracker.tracking.landmark_network import LandmarkNetwork
from tracker.tracking.mirrored_look import with_mirrored_look

IMAGE = portrait_image()
FACE = Region(224.0, 125.0, 180.0)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = create_engine("auto", "propnet-s", 1)
    yield engine
    engine.close()


def looks(engine: Engine, image: NDArray[np.uint8], region: Region) -> tuple[Face, Face]:
    """What one look finds, and its mean with a mirrored one."""
    network = LandmarkNetwork(engine)
    (seen,) = network(image, [region])
    points = seen.landmarks.astype(np.float32)
    once = Face(0, points, points, seen.scores, seen.confidence, region)
    (mean,) = with_mirrored_look(network, image, (once,))
    assert mean.landmarks is mean.raw
    return once, mean


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_mirrored_picture_has_mirrored_landmarks(engine: Engine, angle: float) -> None:
    """To a tenth of a pixel, where those of one look are apart by a whole one.

    Not exactly: turned crops of the two differ by a grey level here and there, by rounding, which
    moves what a network in 8 bits sees by 0.05 pixels.
    """
    width = IMAGE.shape[1]
    once, mean = looks(engine, IMAGE, replace(FACE, angle=angle))
    there = replace(FACE, x=width - 1 - FACE.x, angle=-angle)
    once_there, mean_there = looks(engine, np.ascontiguousarray(IMAGE[:, ::-1]), there)

    def apart(first: Face, second: Face) -> float:
        back = second.raw[WFLW.flip] * [-1, 1] + [width - 1, 0]
        return float(np.linalg.norm(first.raw - back, axis=1).mean())

    assert apart(mean, mean_there) < 0.1
    assert apart(once, once_there) > 0.5
    np.testing.assert_allclose(mean.scores, mean_there.scores[WFLW.flip], atol=0.01)
    assert mean.confidence == pytest.approx(mean_there.confidence, abs=0.01)


def test_the_first_frame_is_looked_at_so_and_no_other() -> None:
    with Tracker() as tracker:
        (first,) = tracker(IMAGE, 0.0)
        (second,) = tracker(IMAGE, 1 / 30)
        tracker.reset()
        (again,) = tracker(IMAGE, 0.0)
        engine = tracker.engine
        (once, mean) = looks(engine, IMAGE, first.region)
        np.testing.assert_allclose(first.raw, mean.raw, atol=1e-3)
        np.testing.assert_allclose(again.raw, mean.raw, atol=1e-3)
        once, mean = looks(engine, IMAGE, second.region)
        np.testing.assert_allclose(second.raw, once.raw, atol=1e-3)
        assert np.abs(second.raw - mean.raw).max() > 0.1


# Where the points are, in crop pixels, and the height of their peaks.
Answer = tuple[tuple[float, float] | NDArray[np.float64], float]


class SidedEngine:
    """Finds the points in one place of a crop that is bright on the left, in another if not.

    Args:
        plain: what it says.
        mirrored: likewise, where the crop is mirrored.
        markup: of the points.

    Attributes:
        mirrored: how many mirrored crops it was asked about.
    """

    description = "sided"

    def __init__(
        self,
        plain: Answer,
        mirrored: Answer,
        markup: Markup = WFLW,
    ) -> None:
        self.info = ModelInfo("sided", markup, 64, "0" * 64)
        self.answers = (plain, mirrored)
        self.mirrored = 0

    def start(self, crops: NDArray[np.uint8], decoder: Decoder) -> Callable[[], Points]:
        assert decoder
        dark = [bool(crop[:, :32].mean() < crop[:, 32:].mean()) for crop in crops]
        self.mirrored += sum(dark)
        found = [self.answers[is_dark] for is_dark in dark]
        points = np.stack([np.broadcast_to(place, (98, 2)) for place, _ in found])
        peaks = np.stack([np.full(98, peak, np.float32) for _, peak in found])
        return lambda: (points, peaks)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError(f"points were to be asked for, of {len(crops)} crops")

    def close(self) -> None: ...


SIDED = np.full((64, 64, 3), 20, np.uint8)
SIDED[:, :32] = 200
WHOLE = Region(31.5, 31.5, 64.0)


def test_the_mean_is_half_way() -> None:
    _, mean = looks(SidedEngine(((10, 20), 0.5), ((43, 30), 0.5)), SIDED, WHOLE)
    np.testing.assert_allclose(mean.landmarks, np.full((98, 2), (15, 25)), atol=1e-3)


@pytest.mark.parametrize(("plain", "mirrored"), [(0.5, 0.0), (0.0, 0.5)])
def test_what_one_look_misses_does_not_spoil_the_other(plain: float, mirrored: float) -> None:
    once, mean = looks(SidedEngine(((10, 20), plain), ((3, 60), mirrored)), SIDED, WHOLE)
    place = (10, 20) if plain else (60, 60)
    np.testing.assert_allclose(mean.landmarks, np.full((98, 2), place), atol=0.2)
    assert mean.confidence >= once.confidence
    assert mean.confidence > 0.5


def test_without_left_and_right_there_is_no_mirror() -> None:
    own = replace(WFLW, pairs=None)
    low, high = TEMPLATE.min(axis=0), TEMPLATE.max(axis=0)
    upright = 12 + 40 * (TEMPLATE - low) / (high - low)
    engine = SidedEngine((upright, 0.5), ((3, 60), 0.5), own)
    options = TrackerOptions(detector="frame")
    with Tracker(engine=engine, options=options) as tracker:
        assert len(tracker(SIDED, 0.0)) == 1
    assert not engine.mirrored
