"""Labels that networks have looked over: what moves, what stays, what is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.commands import module_command
from tracker.assets.portrait import portrait_image
from tracker.tracking.face_tracker import Tracker
from train.data.datasets import read_dataset
from train.data.sample import Sample, tight_box
from train.data.wflw import IMAGES, format_line, list_path
from train.relabel import Share, app, distances, relabelled, share_of

SHIFT = 0.02  # of the box's long side, to the right


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., SimpleNamespace]:
    return module_command(app, monkeypatch, capsys)


@cache
def portrait_landmarks() -> NDArray[np.float64]:
    """[98, 2] as the network sees them."""
    with Tracker("propnet-s") as tracker:
        (face,) = tracker(portrait_image(), 0.0)
    return face.raw.astype(np.float64)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The portrait under five names: labels beside the face, far off and none; one to judge by."""
    root, points = tmp_path / "faces", portrait_landmarks()
    side = float(np.ptp(points, axis=0).max())
    beside, far = (points + np.array([share * side, 0]) for share in (SHIFT, 0.2))
    image = cv2.cvtColor(portrait_image(), cv2.COLOR_RGB2BGR)
    labels = {
        "train": {"ytf/1.png": beside, "wild/2.png": beside, "ytf/3.png": far, "ytf/4.png": None},
        "test": {"wild/5.png": beside},
    }
    for split, faces in labels.items():
        lines = []
        for name, own in faces.items():
            path = root / IMAGES / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
            label = np.full((98, 2), np.nan) if own is None else own
            box = tight_box(points if own is None else own)
            lines.append(format_line(Sample(path, label, box, ""), name, 6))
        path = list_path(root, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    return root


def test_labels_move_by_their_share_and_those_far_off_are_left_out(
    data: Path, tmp_path: Path, command: Callable[..., SimpleNamespace]
) -> None:
    out = tmp_path / "clean"
    options = ["--data", data, "--out", out, "--weights", "propnet-s"]
    done = command(*options, "--share", "1", "--share", "wild=0.25")
    assert done.returncode == 0
    assert "3 of 4 faces" in done.stdout
    points = portrait_landmarks()
    side = float(np.ptp(points, axis=0).max())
    faces = {sample.image.name: sample for sample in read_dataset("wflw", out, "train")}
    assert set(faces) == {"1.png", "2.png", "4.png"}
    # Of the label's offset to the right nothing is left, or three quarters.
    for name, left in {"1.png": 0.0, "2.png": 0.75, "4.png": 0.0}.items():
        offset = (faces[name].points - points).mean(axis=0) / side
        assert offset == pytest.approx((left * SHIFT, 0), abs=0.004), name
        np.testing.assert_allclose(faces[name].box, tight_box(faces[name].points), atol=1e-3)
    # Faces to judge by are what they were, pictures too.
    (before,), (after,) = (read_dataset("wflw", root, "test") for root in (data, out))
    np.testing.assert_allclose(after.points, before.points, atol=1e-3)
    assert after.image.read_bytes() == before.image.read_bytes()


def test_what_cannot_be_is_said(
    data: Path, tmp_path: Path, command: Callable[..., SimpleNamespace]
) -> None:
    out = tmp_path / "clean"
    options = ["--data", data, "--weights", "propnet-s", "--out"]
    refused = command(*options, data)
    assert refused.returncode == 2
    assert "exists: name a new folder" in refused.stderr
    refused = command(*options, out, "--share", "ytf=2")
    assert refused.returncode == 2
    assert "write SOURCE=SHARE with a share from 0 to 1" in refused.stderr
    list_path(data, "train").write_text(list_path(data, "train").read_text().splitlines()[0] + "\n")
    refused = command(*options, out, "--most", "0.001")
    assert refused.returncode == 2
    assert "no face is left" in refused.stderr
    assert not out.exists()
    assert not list(tmp_path.glob("*partial*"))


def test_the_last_share_that_fits_counts() -> None:
    face = Sample(Path("x.png"), np.zeros((98, 2)), np.array([0.0, 0, 1, 1]), "300w/helen")
    shares = [Share.parse(text) for text in ("0.1", "300w=0.5", "ytf=1")]
    assert share_of(face, shares) == 0.5
    assert share_of(replace(face, source="wild"), shares) == 0.1
    assert share_of(face, shares[2:]) == 0


def test_distances_are_in_long_sides_of_the_box() -> None:
    points = np.random.default_rng(0).uniform(0, 50, (98, 2))
    face = Sample(Path("x.png"), points, np.array([0.0, 0, 40, 50]), "wild")
    bare = replace(face, points=np.full((98, 2), np.nan))
    apart = distances([face, bare], np.stack([points + np.array([3, 4]), points]))
    assert apart[0] == pytest.approx(0.1)
    assert np.isnan(apart[1])
    np.testing.assert_allclose(relabelled(bare, points, 0.3).points, points)
