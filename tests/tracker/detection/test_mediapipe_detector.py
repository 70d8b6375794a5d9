"""MediaPipe's own running of the two networks: the oracle of ours, and an optional detector."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import InputError
from tests.support.portrait_scene import portrait_scene
from tracker.detection.blazeface import BlazeFace
from tracker.detection.detection import DetectorModel
from tracker.detection.face_detector import FaceDetector
from tracker.detection.mediapipe_detector import MediaPipeDetector, _detection
from tracker.detection.suppression import overlaps
from tracker.video.video_reader import VideoReader

MODELS: tuple[DetectorModel, ...] = ("full", "short")
Pair = tuple[BlazeFace, MediaPipeDetector]


@pytest.fixture(scope="module", params=MODELS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    pytest.importorskip("mediapipe", reason="needs the extra [mediapipe]")
    theirs = MediaPipeDetector(request.param)
    yield BlazeFace(request.param), theirs
    theirs.close()


def as_reported(box: NDArray[np.float64], image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Its boxes are in whole pixels, begin in the picture and are no larger than it."""
    corner = np.maximum(np.trunc(box[:2] + 0.5), 0)
    sides = np.minimum(np.trunc(box[2:] - box[:2]), image.shape[1::-1])
    return np.concatenate([corner, corner + sides]) - 0.5


def compare(pair: Pair, image: NDArray[np.uint8]) -> list[float]:
    """Overlaps of the boxes of both, after what MediaPipe's whole pixels hide."""
    ours, theirs = (network(image) for network in pair)
    assert len(ours) == len(theirs)
    shares = []
    for their in theirs:
        boxes = np.array([as_reported(our.box, image) for our in ours])
        best = int(np.argmax(overlaps(their.box, boxes)))
        our, box = ours[best], boxes[best]
        assert our.score == pytest.approx(their.score, abs=0.02)
        side = float((their.box[2:] - their.box[:2]).max())
        assert np.abs(our.keypoints - their.keypoints).max() < max(0.02 * side, 1)
        # A hair beside a whole number is a pixel there.
        near = np.abs(box - their.box).max() <= 1
        shares.append(1.0 if near else float(overlaps(their.box, box[None])[0]))
    return shares


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1280, 720), (333, 257)])
def test_portraits(pair: Pair, width: int, height: int) -> None:
    seen = 0
    for face in (24, 48, 96, 180, 300):
        for degrees in (-25, 0, 40):
            image, _ = portrait_scene(face, width, height, degrees, (0.4 * width, 0.55 * height))
            shares = compare(pair, image)
            assert all(share > 0.99 for share in shares)
            seen += len(shares)
    assert seen > 5


def test_photographs(pair: Pair, data_root: Path) -> None:
    """200 faces kept apart, each in a picture of its own size; some show neighbours too."""
    files = sorted((data_root / "faces" / "WFLW_images" / "300w").rglob("*.jpg"))[:1600:8]
    shares = []
    for file in files:
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        large = cv2.resize(image, None, fx=3, fy=3)  # so that whole pixels hide little
        shares += compare(pair, large)
    assert len(files) == 200
    assert len(shares) > 180
    assert np.mean(np.array(shares) > 0.99) > 0.985
    assert min(shares) > 0.95


@pytest.mark.parametrize("name", ["carphone_pristine", "intel_asl_bird", "liveportrait_d6"])
def test_clips(pair: Pair, data_root: Path, name: str) -> None:
    (path,) = (data_root / "video").glob(f"{name}.*")
    shares = []
    with VideoReader(path) as video:
        for number, frame in enumerate(video):
            if number % 10 == 0:
                shares += compare(pair, frame.image)
    assert shares
    assert np.mean(np.array(shares) > 0.99) > 0.985
    assert min(shares) > 0.95


def test_coordinates_count_from_pixel_centres() -> None:
    """MediaPipe's 0 is the picture's corner, which is at -0.5; its 1 at width - 0.5."""
    item = SimpleNamespace(
        bounding_box=SimpleNamespace(origin_x=10, origin_y=20, width=100, height=120),
        keypoints=[SimpleNamespace(x=x, y=y) for x, y in ((0, 0), (1, 1), (0.5, 0.25))],
        categories=[SimpleNamespace(score=0.75)],
    )
    detection = _detection(item, 640, 480, "short")
    np.testing.assert_array_equal(detection.box, [9.5, 19.5, 109.5, 139.5])
    expected = [[-0.5, -0.5], [639.5, 479.5], [319.5, 119.5]]
    np.testing.assert_array_equal(detection.keypoints, expected)
    assert (detection.score, detection.model) == (0.75, "short")


def test_it_can_be_chosen() -> None:
    pytest.importorskip("mediapipe", reason="needs the extra [mediapipe]")
    image, _ = portrait_scene(150)
    with FaceDetector("mediapipe") as chosen, FaceDetector("auto") as usual:
        (theirs,), (ours,) = chosen(image), usual(image)
        assert len(list(chosen.looks(image))) == 2
    np.testing.assert_allclose(theirs.box, ours.box, atol=2)


def test_nothing_is_logged_even_if_it_is_never_closed() -> None:
    pytest.importorskip("mediapipe", reason="needs the extra [mediapipe]")
    code = (
        "import numpy as np; from tracker.detection.face_detector import FaceDetector;"
        "d = FaceDetector('mediapipe'); d(np.zeros((90, 120, 3), np.uint8));"
        "FaceDetector('mediapipe').close();"
        "import sys; print('python stderr', file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    # Where memory happens to lie across its boundaries, a run says so, under a title.
    by_chance = ("memory is not aligned", "Logging before InitGoogle")
    lines = result.stderr.splitlines()
    assert [line for line in lines if not any(text in line for text in by_chance)] == [
        "python stderr"
    ]


def test_it_is_asked_for_but_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(InputError, match=r"propnet-tracker\[mediapipe\]"):
        FaceDetector("mediapipe")


def test_nobody_else_imports_it() -> None:
    code = (
        "import sys, numpy as np; from tracker import Tracker; t = Tracker();"
        "t(np.zeros((90, 120, 3), np.uint8), 0.0); assert 'mediapipe' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
