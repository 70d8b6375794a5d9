import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from measured import face, measured

from tracker.schema import columns
from tracker.tables import open_table


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_object_per_frame(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    first, second = face(0, (0, 30, 0)), face(4, place=(60, 0, 900))
    with open_table(path, 98) as table:
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
    with open_table(path, 98, scores=True) as table:
        table.write(measured(face()))
    (frame,) = read(path)
    names = {c.name for c in columns(98, True) if c.name.split("_")[0] not in ("x", "y", "score")}
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
    with open_table(path, 98) as table:
        table.write(measured(spot))
    assert read(path)[0]["faces"][0]["pose_Rx"] is None


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal only on POSIX systems")
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_interrupted_tables_are_complete(tmp_path: Path, suffix: str) -> None:
    """Ctrl-C at any moment keeps what was tracked until then, as a readable file."""
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[parquet]'")
    path = tmp_path / f"faces{suffix}"
    program = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from measured import face, measured
        from tracker.tables import open_table
        faces = [face()]
        with open_table(Path({str(path)!r}), 98) as table:
            for index in range(10**9):
                table.write(measured(*faces, index=index))
                if index == 20:
                    print("going", flush=True)
    """)
    run = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "going\n"
    time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if suffix == ".parquet":
        import pyarrow.parquet

        numbers = pyarrow.parquet.read_table(path).column("frame").to_pylist()
    elif suffix == ".jsonl":
        numbers = [frame["frame"] for frame in read(path)]
    else:
        lines = path.read_text().splitlines()
        assert len({line.count(",") for line in lines}) == 1
        numbers = [int(line.split(",")[0]) for line in lines[1:]]
    assert len(numbers) > 20
    assert numbers == list(range(1, len(numbers) + 1))
