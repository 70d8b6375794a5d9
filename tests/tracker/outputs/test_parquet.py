import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from model.errors import InputError
from tests.support.measured_faces import face, measured
from tracker.outputs.table_schema import numbered
from tracker.outputs.tables import open_table


def test_the_same_table_as_csv(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: '.[parquet]'")
    frames = [
        measured(*(face(n, (0, 10 * n, 0)) for n in range(index % 3)), index=index,
                 timestamp=index / 30)
        for index in range(12)
    ]  # fmt: skip
    paths = tmp_path / "faces.csv", tmp_path / "faces.parquet"
    for path in paths:
        with open_table(path, numbered(98, scores=True)) as table:
            for frame in frames:
                table.write(frame)
    with paths[0].open(newline="") as file:
        text = list(csv.reader(file))
    found = parquet.read_table(paths[1])
    assert found.column_names == text[0] == [c.name for c in numbered(98, scores=True).columns]
    numbers = np.column_stack([column.to_numpy() for column in found.columns])
    np.testing.assert_allclose(numbers, np.array(text[1:], dtype=float), atol=0.051)
    assert str(found.schema.field("face_id").type) == "int64"
    assert str(found.schema.field("timestamp").type) == "double"
    assert str(found.schema.field("x_0").type) == "float"


def test_many_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: '.[parquet]'")
    monkeypatch.setattr("tracker.outputs.tables._GROUP", 10)
    path = tmp_path / "faces.parquet"
    frame = measured(face())
    with open_table(path, numbered(98)) as table:
        for _ in range(25):
            table.write(frame)
    assert parquet.ParquetFile(path).num_row_groups == 3
    assert parquet.read_table(path).num_rows == 25


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"propnet-tracker\[parquet\]"):
        open_table(tmp_path / "faces.parquet", numbered(98))
    assert list(tmp_path.iterdir()) == []
