import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from model.errors import InputError
from tracker.table import CsvTable, column_names


def face(number: int, points: int, confidence: float = 0.9, seed: int = 0) -> SimpleNamespace:
    landmarks = np.random.default_rng(seed).uniform(-20, 700, (points, 2)).astype(np.float32)
    return SimpleNamespace(id=number, landmarks=landmarks, confidence=confidence)


def read(path: Path) -> list[dict[str, float]]:
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_columns_are_those_of_openface() -> None:
    # The beginning of an OpenFace 2.2 file written with -2Dfp only, for its 68 points.
    names = column_names(68)
    assert names[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert names[5:73] == [f"x_{i}" for i in range(68)]
    assert names[73:] == [f"y_{i}" for i in range(68)]


@pytest.mark.parametrize("points", [29, 68, 98])
def test_one_row_per_face_and_frame(tmp_path: Path, points: int) -> None:
    path = tmp_path / "faces.csv"
    first, second, later = face(0, points, 0.9), face(1, points, 0.5, 1), face(1, points, 0.7, 2)
    with CsvTable(path, points) as table:
        table.write(0, 0.0, [first, second])
        table.write(1, 1001 / 30_000, [])
        table.write(2, 3601.123456, [later])
    rows = read(path)
    assert path.read_text().splitlines()[0] == ",".join(column_names(points))
    assert [row["frame"] for row in rows] == [1, 1, 2, 3]  # OpenFace counts frames from 1
    assert [row["face_id"] for row in rows] == [0, 1, 0, 1]
    assert [row["success"] for row in rows] == [1, 1, 0, 1]
    assert [row["confidence"] for row in rows] == [0.9, 0.5, 0, 0.7]
    np.testing.assert_allclose(
        [row["timestamp"] for row in rows], [0, 0, 1001 / 30_000, 3601.123456], atol=1e-6
    )
    for row, given in ((rows[0], first), (rows[1], second), (rows[3], later)):
        points_back = [[row[f"x_{i}"], row[f"y_{i}"]] for i in range(points)]
        np.testing.assert_allclose(points_back, given.landmarks, atol=0.0051)
    assert all(rows[2][name] == 0 for name in column_names(points)[5:])


def test_appears_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with pytest.raises(RuntimeError), CsvTable(path, 68) as table:
        table.write(0, 0.0, [])
        assert not path.exists()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_unusable_outputs(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("old")
    with pytest.raises(InputError, match="exists already"):
        CsvTable(path, 68)
    with pytest.raises(InputError, match=r"does not end in \.csv"):
        CsvTable(tmp_path / "faces.mp4", 68)
    with CsvTable(path, 68, overwrite=True) as table:
        table.write(0, 0.0, [])
        assert path.read_text() == "old"
    assert len(read(path)) == 1
