import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from model.errors import InputError
from tests.support.measured_faces import face, measured, output_frame
from tests.support.paths import DOCS
from tracker.measures.face_measures import FaceMeasurer
from tracker.outputs.table_schema import numbered
from tracker.outputs.tables import TABLE_SUFFIXES, open_table

ANGLES, PLACE = (10.0, -25.0, 5.0), (30.0, -20.0, 800.0)


def read(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_columns_are_those_of_openface() -> None:
    # The beginning of an OpenFace 2.2 file written with -2Dfp -pose, for its 68 points.
    names = [column.name for column in numbered(68).columns]
    assert names[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert names[5:11] == ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"]
    assert names[16:84] == [f"x_{i}" for i in range(68)]
    assert names[84:] == [f"y_{i}" for i in range(68)]
    assert [c.name for c in numbered(68, scores=True).columns] == names + [
        f"score_{i}" for i in range(68)
    ]
    assert len(set(names)) == len(names)


def test_every_column_is_documented() -> None:
    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    for column in numbered(98, scores=True).columns:
        first = re.sub(r"_\d+$", "_0", column.name)
        assert f"`{first}`" in text, column.name


@pytest.mark.parametrize("markup", ["cofw29", "ibug68", "wflw98"])
def test_one_row_per_face_and_frame(tmp_path: Path, markup: str) -> None:
    path = tmp_path / "faces.csv"
    first, second = face(0, ANGLES, PLACE, markup), face(1, place=(-90, 0, 600), markup=markup)
    points = len(first.landmarks)
    frames = [
        measured(first, second, markup=markup),
        measured(index=1, timestamp=1001 / 30_000),
        measured(second, index=2, timestamp=3601.123456, markup=markup),
    ]
    with open_table(path, numbered(points)) as table:
        for frame in frames:
            table.write(frame)
    found = read(path)
    assert [row["frame"] for row in found] == [1, 1, 2, 3]  # OpenFace counts frames from 1
    assert [row["face_id"] for row in found] == [0, 1, 0, 1]
    assert [row["success"] for row in found] == [1, 1, 0, 1]
    assert [row["confidence"] for row in found] == [0.8, 0.8, 0, 0.8]
    times = [row["timestamp"] for row in found]
    np.testing.assert_allclose(times, [0, 0, 1001 / 30_000, 3601.123456], atol=1e-6)
    for row, given in ((found[0], first), (found[1], second), (found[3], second)):
        back = [[row[f"x_{i}"], row[f"y_{i}"]] for i in range(points)]
        np.testing.assert_allclose(back, given.landmarks, atol=0.0051)
    assert set(list(found[2].values())[3:]) == {0}
    # The pose, in OpenFace's units: millimetres and radians.
    np.testing.assert_allclose([found[0][f"pose_T{a}"] for a in "xyz"], PLACE, atol=1)
    radians = [found[0][f"pose_R{a}"] for a in "xyz"]
    np.testing.assert_allclose(radians, np.deg2rad(ANGLES), atol=0.002)
    assert found[0]["eye_left"] == pytest.approx(frames[0].measures[0].eyes[0], abs=1e-4)
    assert found[0]["mouth"] == pytest.approx(frames[0].measures[0].mouth, abs=1e-4)


def test_places_in_another_picture(tmp_path: Path) -> None:
    paths = [tmp_path / f"faces{suffix}" for suffix in TABLE_SUFFIXES]
    given = face()
    for path in paths:
        with open_table(path, numbered(98, place=lambda points: points / (2.0, 1.0))) as table:
            table.write(measured(given))
    wanted = given.landmarks / (2, 1)
    (row,) = read(paths[0])
    np.testing.assert_allclose(
        [[row[f"x_{i}"], row[f"y_{i}"]] for i in range(98)], wanted, atol=0.006
    )
    (item,) = json.loads(paths[1].read_text())["faces"]
    np.testing.assert_allclose(item["landmarks"], wanted, atol=0.006)
    column = pyarrow.parquet.read_table(paths[2])
    np.testing.assert_allclose([column[f"x_{i}"][0].as_py() for i in range(98)], wanted[:, 0])
    # Measures are those of the face, not of the table's picture.
    assert (
        row["interocular"]
        == item["interocular"]
        == pytest.approx(np.linalg.norm(given.landmarks[60] - given.landmarks[72]), abs=0.006)
    )


def test_scores_on_request(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with open_table(path, numbered(98, scores=True)) as table:
        table.write(measured(face()))
        table.write(measured(index=1))
    found = read(path)
    scores = [found[0][f"score_{i}"] for i in range(98)]
    np.testing.assert_allclose(scores, np.linspace(0.2, 0.9, 98), atol=0.0006)
    assert found[1]["score_97"] == 0


def test_a_face_without_a_pose_has_zeros() -> None:
    spot = face()
    spot.landmarks = np.full((98, 2), 5, dtype=np.float32)
    frame = measured(spot)
    assert frame.measures[0].pose is None
    assert numbered(98).rows(frame)[0][5:11] == [0] * 6


def test_smoothing_does_not_hide_blinks() -> None:
    blinking = face()
    blinking.raw = blinking.landmarks.copy()
    blinking.raw[[61, 62, 63]] = blinking.raw[[67, 66, 65]]
    left, right = measured(blinking).measures[0].eyes
    assert left == 0
    assert right > 0.2


def test_blinks_are_counted_per_face() -> None:
    measure = FaceMeasurer("wflw98")
    winker, starer = face(3), face(8)
    shut = face(3)
    for upper, lower in ((61, 67), (62, 66), (63, 65), (69, 75), (70, 74), (71, 73)):
        shut.landmarks[upper] = shut.landmarks[lower]
    counts = []
    for index in range(90):
        blinking = index in (30, 31, 32, 60, 61, 62, 63)
        frame = output_frame(measure, index, index / 30, np.zeros((480, 640, 3), np.uint8),
                       [shut if blinking else winker, starer])  # fmt: skip
        counts.append([m.blinks for m in frame.measures])
        assert (frame.measures[0].blink is not None) == (index in (33, 64))
    assert counts[0] == [0, 0]
    assert counts[40] == [1, 0]
    assert counts[-1] == [2, 0]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_appears_only_when_whole(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"faces{suffix}"
    with pytest.raises(RuntimeError), open_table(path, numbered(98)) as table:
        table.write(measured(face()))
        assert not path.exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_unusable_outputs(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"faces{suffix}"
    path.write_text("old")
    with pytest.raises(InputError, match="exists already"):
        open_table(path, numbered(98))
    with pytest.raises(InputError, match=r"does not end in \.csv or \.jsonl or \.parquet"):
        open_table(tmp_path / "faces.mp4", numbered(98))
    with open_table(path, numbered(98), overwrite=True) as table:
        table.write(measured())
        assert path.read_text() == "old"
    assert path.read_bytes() != b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_full_disk(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which this system does not have")
    full = tmp_path / f"full.0.partial{suffix}"
    full.symlink_to("/dev/full")
    monkeypatch.setattr("tracker.system.output_file.create_unfinished", lambda path: full)
    with (
        pytest.raises(InputError, match=rf"full\{suffix} cannot be written on: No space left"),
        open_table(tmp_path / f"full{suffix}", numbered(98)) as table,
    ):
        table.write(measured(face()))
    assert list(tmp_path.iterdir()) == []
