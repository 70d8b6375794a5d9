import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.measured_faces import face, measured
from tracker.outputs.table_schema import numbered
from tracker.outputs.tables import open_table


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_object_per_frame(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    first, second = face(0, (0, 30, 0)), face(4, place=(60, 0, 900))
    with open_table(path, numbered(98)) as table:
        table.write(measured(first, second))
        table.write(measured(index=1, timestamp=0.04))
    both, none = read(path)
    assert (both["frame"], both["timestamp"]) == (1, 0.0)
    assert none == {"frame": 2, "timestamp": 0.04, "faces": []}
    assert [item["face_id"] for item in both["faces"]] == [0, 4]
    np.testing.assert_allclose(both["faces"][0]["landmarks"], first.landmarks, atol=0.0051)
    assert both["faces"][0]["pose_Ry"] == pytest.approx(np.deg2rad(30), abs=0.002)
    assert both["faces"][1]["pose_Tz"] == pytest.approx(900, abs=1)
    assert "scores" not in both["faces"][0]


def test_the_names_are_those_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    with open_table(path, numbered(98, scores=True)) as table:
        table.write(measured(face()))
    (frame,) = read(path)
    names = {
        c.name
        for c in numbered(98, scores=True).columns
        if c.name.split("_")[0] not in ("x", "y", "score")
    }
    # `success` is what is in the list.
    have = (set(frame) | set(frame["faces"][0])) - {"faces", "landmarks", "scores"}
    assert have == names - {"success"}
    assert len(frame["faces"][0]["scores"]) == 98
    # Short decimals, not the digits of a float32.
    assert len(path.read_text()) < 98 * 3 * 9 + 400


def test_no_pose_is_null(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    spot = face()
    spot.landmarks = np.full((98, 2), 5, dtype=np.float32)
    with open_table(path, numbered(98)) as table:
        table.write(measured(spot))
    assert read(path)[0]["faces"][0]["pose_Rx"] is None
