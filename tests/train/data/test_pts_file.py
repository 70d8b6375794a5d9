"""`.pts` files: the two ways to count pixels, round trips, malformed files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.errors import InputError
from train.data.pts_file import read_pts, write_pts

OFFICIAL = """version: 1
n_points:  3
{
1.000000 1.000000
10.5 20.25
-3 1e2
}
"""


def test_the_release_counts_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_text(OFFICIAL, encoding="utf-8")
    # (1, 1) of the file is the centre of the top left pixel.
    expected = np.array([[0.0, 0.0], [9.5, 19.25], [-4.0, 99.0]])
    np.testing.assert_array_equal(read_pts(path, count=3, one_based=True), expected)
    np.testing.assert_array_equal(read_pts(path, count=3, one_based=False), expected + 1)


def test_windows_line_ends_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_bytes(OFFICIAL.replace("\n", " \r\n\r\n").encode())
    assert read_pts(path, count=3, one_based=True).shape == (3, 2)


@given(
    points=arrays(np.float64, (5, 2), elements=st.floats(-1e4, 1e4)),
    one_based=st.booleans(),
)
def test_written_files_read_back(
    tmp_path_factory: pytest.TempPathFactory, points: np.ndarray, one_based: bool
) -> None:
    path = tmp_path_factory.mktemp("pts") / "a.pts"
    write_pts(path, points, one_based=one_based)
    back = read_pts(path, count=5, one_based=one_based)
    np.testing.assert_allclose(back, points, atol=5.1e-7)  # six decimals
    # The file itself: MATLAB's numbers are one higher.
    first = float(path.read_text(encoding="utf-8").splitlines()[3].split()[0])
    assert first == pytest.approx(points[0, 0] + one_based, abs=1e-6)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.pts"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_points:  3", "n_points:  4", "n_points says 4, but the file holds 3"),
        ("n_points:  3", "n_points:  x", "line 2: n_points is 'x'"),
        ("10.5 20.25\n", "", "n_points says 3, but the file holds 2"),
        ("n_points:  3\n{\n1.000000 1.000000", "{", "2 points instead of 3"),
        ("10.5 20.25", "10.5", "line 5: '10.5' is not a point"),
        ("10.5 20.25", "10.5 20.25 3", "line 5: '10.5 20.25 3' is not a point"),
        ("10.5 20.25", "10.5 x", "line 5: '10.5 x' is not a point"),
        ("10.5 20.25", "10.5 nan", "line 5: '10.5 nan' is not a finite point"),
        ("{\n", "", "opening brace"),
        ("}\n", "", "closing brace"),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.pts"
    assert old in OFFICIAL
    path.write_text(OFFICIAL.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_pts(path, count=3, one_based=True)
    assert str(path) in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the landmarks"):
        read_pts(tmp_path / "none.pts", count=3, one_based=True)
    path = tmp_path / "a.pts"
    path.write_bytes(b"\xff\x81")
    with pytest.raises(InputError, match="not a text file"):
        read_pts(path, count=3, one_based=True)
