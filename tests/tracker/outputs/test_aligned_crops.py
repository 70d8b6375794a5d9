import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.measured_faces import measured, output_frame
from tests.support.paths import ROOT
from tests.support.tracked_scene import landmarks, paint, pose
from tracker.measures.face_measures import FaceMeasurer
from tracker.outputs.aligned_crops import CropWriter, aligned_crop


def scene(*poses: np.ndarray, index: int = 0):
    faces = [
        SimpleNamespace(
            id=number,
            landmarks=landmarks(matrix).astype(np.float32),
            raw=landmarks(matrix).astype(np.float32),
            scores=np.ones(98, np.float32),
            confidence=1.0,
        )
        for number, matrix in enumerate(poses)
    ]
    return output_frame(FaceMeasurer("wflw98"), index, index / 30, paint(poses), faces)


def load(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_names_and_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "crops"
    with CropWriter(folder, WFLW, size=96) as crops:
        crops.write(scene(pose(200, 200, 150), pose(450, 250, 120)))
        crops.write(measured(index=1))
        crops.write(scene(pose(200, 200, 150), index=2))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["000001_0.jpg", "000001_1.jpg", "000003_0.jpg"]
    assert all(load(path).shape == (96, 96, 3) for path in folder.iterdir())


@pytest.mark.parametrize("degrees", [0, 25, -70, 180])
def test_faces_stay_upright_and_in_place(tmp_path: Path, degrees: float) -> None:
    """A painted face's colours are its own coordinates: every crop must show them alike."""
    level, turned = scene(pose(320, 240, 200)), scene(pose(300, 250, 140, degrees))
    first, second = (
        aligned_crop(frame.image, frame.faces[0], WFLW, 128).astype(int)
        for frame in (level, turned)
    )
    # Within the face; colours rise by about 2 a pixel, and a small face has coarser pixels.
    middle = (slice(32, 96), slice(32, 96))
    assert np.abs(first[middle] - second[middle]).max() <= 6
    assert np.abs(first[middle] - second[middle]).mean() < 1.5
    assert first[64, 96, 0] > first[64, 32, 0] + 40  # x to the right
    assert first[96, 64, 1] > first[32, 64, 1] + 40  # y down


def test_written_pictures_have_true_colours(tmp_path: Path) -> None:
    frame = scene(pose(320, 240, 200))
    with CropWriter(tmp_path, WFLW, size=128) as crops:
        crops.write(frame)
    written = load(tmp_path / "000001_0.jpg").astype(int)
    expected = aligned_crop(frame.image, frame.faces[0], WFLW, 128).astype(int)
    assert np.abs(written - expected)[32:96, 32:96].mean() < 3


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with (
        pytest.raises(InputError, match=r"cannot write .*000001_0\.jpg: No space left"),
        CropWriter(tmp_path, WFLW) as crops,
    ):
        crops.write(scene(pose(320, 240, 200)))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_has_left_nothing_to_keep(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from model.files import replacing; "
        "from model.shipped_markups import WFLW; "
        "from tracker.outputs.aligned_crops import CropWriter; "
        "crops = CropWriter(pathlib.Path(sys.argv[1]), WFLW); "
        "block = replacing(crops._folder / '000001_0.jpg', lock=crops._lock); "
        "block.__enter__().write_text('half'); os.kill(os.getpid(), 9)"
    )
    folder = tmp_path / "crops"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False, cwd=ROOT)
    assert len(list(folder.iterdir())) == 2
    with CropWriter(folder, WFLW) as crops:
        crops.write(scene(pose(320, 240, 200)))
    assert [path.name for path in folder.iterdir()] == ["000001_0.jpg"]


def test_unusable_folders(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    with pytest.raises(InputError, match="cannot be a folder"):
        CropWriter(file, WFLW)
    with pytest.raises(InputError, match="is not empty"):
        CropWriter(tmp_path, WFLW)
    with (
        CropWriter(tmp_path, WFLW, overwrite=True),
        pytest.raises(InputError, match="is given for two outputs"),
    ):
        CropWriter(tmp_path, WFLW, overwrite=True)
    for size in (8, 5000):
        with pytest.raises(InputError, match="16 to 4096"):
            CropWriter(tmp_path / "new", WFLW, size=size)
    assert not (tmp_path / "new").exists()
