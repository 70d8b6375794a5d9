"""The examples, run as a reader would run them."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.markup_file import read_markup
from tests.support.face_files import write_faces
from tests.support.paths import PORTRAIT_CLIP, ROOT
from tracker import Tracker
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame
from tracker.measures.generic_face import face_model
from tracker.measures.head_pose import estimate_pose
from tracker.measures.intrinsics import Intrinsics
from tracker.measures.openings import eye_openings
from tracker.video.frame_source import VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter
from train.data.datasets import OwnPoints, read_dataset

EXAMPLES = ROOT / "examples"
OWN = EXAMPLES / "own_points"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    root = str(EXAMPLES.parent)
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )


def eyes_closed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The portrait with its lids drawn together: what is 4 px from a pupil's line comes to 1."""
    y, x = np.indices(image.shape[:2]).astype(np.float32)
    rows = y.copy()
    for centre_x, centre_y in ((202, 101), (245.5, 103)):
        dx, dy = (x - centre_x) / 15, (y - centre_y) / 12
        power = 1 - 0.6 * np.clip(2 * (1 - dx**2), 0, 1)
        drawn = centre_y + 12 * np.sign(dy) * np.abs(dy) ** power
        rows = np.where((np.abs(dx) < 1) & (np.abs(dy) < 1), drawn, rows)
    return np.asarray(cv2.remap(image, x, rows.astype(np.float32), cv2.INTER_CUBIC), np.uint8)


def test_blink_counter(tmp_path: Path) -> None:
    path = tmp_path / "blinks.mp4"
    opened = portrait_image()
    closed = eyes_closed(opened)
    place = np.array([[1.9, 0, -100], [0, 1.9, -20.0]])
    with VideoWriter(path, VideoInfo("blinks", None, 640, 480, Fraction(30))) as writer:
        for index in range(75):
            shut = 24 <= index < 29 or 51 <= index < 57
            writer.write(portrait_frame(closed if shut else opened, place), index / 30)
    blinks, seconds = load("blink_counter").find_blinks(path)
    assert seconds == pytest.approx(74 / 30)
    (found,) = blinks.values()
    starts, ends = zip(*((blink.start, blink.end) for blink in found), strict=True)
    assert starts == pytest.approx([24 / 30, 51 / 30], abs=1 / 30)
    assert ends == pytest.approx([29 / 30, 57 / 30], abs=1 / 30)


def test_blink_counter_as_a_program(tmp_path: Path) -> None:
    result = program(EXAMPLES / "blink_counter.py", "docs/portrait.mp4")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "face 0: 0 blinks in 4.0 s\n"
    missing = program(EXAMPLES / "blink_counter.py", tmp_path / "none.mp4")
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr
    assert missing.stderr.startswith("error: ")


def centres(path: Path, every: int) -> NDArray[np.float64]:
    """[T, 2], where the face is in every so many frames, by a fresh look at each."""
    found = []
    with VideoReader(path) as video, Tracker() as tracker:
        for number, timestamp, image in video:
            if number % every == 0:
                tracker.reset()
                (face,) = tracker(image, timestamp)
                found.append(face.raw.mean(axis=0))
    return np.array(found, dtype=np.float64)


def test_crop_stabiliser(tmp_path: Path) -> None:
    out = tmp_path / "face.mp4"
    assert load("crop_stabiliser").stabilise(PORTRAIT_CLIP, out) == 120
    with VideoReader(PORTRAIT_CLIP) as before, VideoReader(out) as after:
        assert (after.info.width, after.info.height) == (256, 256)
        assert [frame.timestamp for frame in after] == [frame.timestamp for frame in before]
    moved = np.ptp(centres(PORTRAIT_CLIP, 24), axis=0)
    rests = np.ptp(centres(out, 24), axis=0)
    assert moved.max() > 100
    assert rests.max() < 8


def test_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cell runs, in order, in the notebook's folder; nothing is stored in it."""
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib: .[train]")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    notebook: dict[str, Any] = json.loads((EXAMPLES / "tour.ipynb").read_text("utf-8"))
    monkeypatch.chdir(EXAMPLES)
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert capsys.readouterr().out.startswith("45 faces in 45 frames, tracked with ")
    assert len(pyplot.get_fignums()) == 4
    assert names["crops"][0].shape == (160, 160, 3)
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()
    pyplot.close("all")


def test_pictures_of_pliers(tmp_path: Path) -> None:
    out = tmp_path / "pliers"
    result = program(OWN / "draw_pliers.py", out, "--pictures", 5, "--frames", 4)
    assert result.returncode == 0, result.stderr
    markup = read_markup(OWN / "pliers.yaml")
    samples = read_dataset("coco", out, "all", own=OwnPoints(markup))
    assert len(samples) == 5
    assert samples[0].load().shape == (240, 320, 3)
    with VideoReader(out / "clip.mp4") as video:
        assert len(list(video)) == 4


def test_points_picked_out_of_wflws(tmp_path: Path) -> None:
    data, out = write_faces(tmp_path / "faces"), tmp_path / "twenty"
    yaml = OWN / "twenty.yaml"
    result = program(OWN / "points_of_wflw.py", data, yaml, out, "--faces", 7)
    assert result.returncode == 0, result.stderr
    samples = read_dataset("coco", out, "all", own=OwnPoints(read_markup(yaml)))
    assert len(samples) == 7
    faces = {face.load().tobytes(): face for face in read_dataset("wflw", data, "train")}
    for sample in samples:
        face = faces[sample.load().tobytes()]
        np.testing.assert_allclose(sample.points[:3], face.points[[16, 37, 33]])
    markup, camera = read_markup(yaml), Intrinsics.from_fov(640, 480)
    face = face_model("wflw98").points[:, :2] * 2 + [320, 240]
    own = np.array([face[list(markup.roles.wflw98[i])].mean(axis=0) for i in range(20)])
    pose, whole = (estimate_pose(p, m, camera) for p, m in ((own, markup), (face, "wflw98")))
    assert pose is not None
    assert whole is not None
    np.testing.assert_allclose(pose.angles, whole.angles, atol=2)
    assert min(eye_openings(own, markup)) > 0
    failed = program(OWN / "points_of_wflw.py", data, OWN / "pliers.yaml", out)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "roles, wflw98 must say of every point" in failed.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 80


def test_examples_live_on_the_public_surface() -> None:
    import tracker

    sources = [path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")]
    tour = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in tour["cells"] if cell["cell_type"] == "code"]
    found = set()
    for node in ast.walk(ast.parse("\n".join([*sources, *cells]))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[0] not in ("model", "train", "export"), node.module
            if node.module.split(".")[0] == "tracker":
                assert node.module == "tracker"
                found |= {alias.name for alias in node.names}
    assert found <= set(tracker.__all__)
    assert {"Tracker", "FaceMeasurer", "VideoWriter"} <= found


def test_every_public_name_is_there() -> None:
    import tracker

    for name in tracker.__all__:
        assert getattr(tracker, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = tracker.Nothing
