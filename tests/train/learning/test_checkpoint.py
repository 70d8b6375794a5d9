"""Checkpoints and the record of a run: whole or not at all, and refused when they do not fit."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from model.errors import InputError
from train.learning.checkpoint import Progress, load_checkpoint, save_checkpoint
from train.learning.history import HistoryRow, plot_history, write_history

ROWS = [
    HistoryRow(1, 10, 80, 0.5, 128, 1.5e-3, 3.25, 12.3456789),
    HistoryRow(2, 20, 160, 1.0, 256, 0.0, 1.5, 6.5),
]
SETTINGS: dict[str, Any] = {"seed": 3, "recipe": {"stages": ({"until": 1.0},)}, "epochs": None}
PROGRESS = Progress(2, 3, 23, 184, 71.25, 4.5, 6.5, ROWS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, SETTINGS, PROGRESS, {"network": {"w": torch.arange(3.0)}})
    return path


def test_round_trip(file: Path) -> None:
    progress, states = load_checkpoint(file, SETTINGS)
    assert progress == PROGRESS
    assert torch.equal(states["network"]["w"], torch.arange(3.0))
    assert [path.name for path in file.parent.iterdir()] == ["checkpoint.pt"]


def test_an_infinite_best_survives(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {}, Progress(), {})
    assert load_checkpoint(path, {})[0] == Progress()


def test_other_settings_are_named(file: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_checkpoint(file, {**SETTINGS, "seed": 4, "epochs": 9, "precision": "f32"})
    assert str(caught.value) == (
        f"{file} belongs to a run with another seed, epochs, precision: "
        "give the same settings to resume it, or another --out."
    )


def test_a_checkpoint_that_does_not_say_what_it_was_judged_by_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, SETTINGS, PROGRESS, {})
    assert load_checkpoint(path, {**SETTINGS, "dev data": "b"})[0] == PROGRESS
    save_checkpoint(path, {**SETTINGS, "dev data": "a"}, PROGRESS, {})
    with pytest.raises(InputError, match="another dev data"):
        load_checkpoint(path, {**SETTINGS, "dev data": "b"})


def test_an_unpickler_that_runs_out_of_bytes(file: Path) -> None:
    data = file.read_bytes()
    at = data.index(b"PK\x03\x04")
    start = data.index(b"data.pkl", at) + len(b"data.pkl")
    begin = data.index(b"\x80\x02", start)
    # A memo of four bytes as the last thing that there is.
    end = data.index(b"PK\x07\x08", begin)
    file.write_bytes(data[: end - 2] + b"r\x01" + data[end:])
    with pytest.raises(InputError, match=r"checkpoint.pt is damaged: delete it to start again\."):
        load_checkpoint(file, SETTINGS)


@pytest.mark.parametrize("kept", [0, 10, 400, -20])
def test_a_truncated_checkpoint(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"checkpoint.pt is damaged: delete it to start again\."):
        load_checkpoint(file, SETTINGS)


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"progress": {}},
        {"settings": {}, "states": {}, "progress": {"rows": [], "speed": 3}},
        {"settings": {}, "states": {}, "progress": {"rows": [{"epoch": 1}]}},
        {"settings": None, "states": {}, "progress": {"rows": []}},
        {"settings": {}, "states": {}, "progress": 7},
    ],
)
def test_a_file_of_another_program(tmp_path: Path, content: object) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(path, SETTINGS)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "checkpoint.pt"
    torch.save({"settings": Trap(), "states": {}, "progress": {"rows": []}}, path)
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(path, SETTINGS)
    assert not (tmp_path / "sprung").exists()


def test_a_failed_write_leaves_the_old_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file\nbacktrace")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"cannot write .*: PytorchStreamWriter failed .* file\."):
        save_checkpoint(file, SETTINGS, Progress(), {})
    assert load_checkpoint(file, SETTINGS)[0] == PROGRESS
    assert [path.name for path in file.parent.iterdir()] == ["checkpoint.pt"]


def test_history_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write_history(path, ROWS[:1])
    write_history(path, ROWS)
    with path.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == [
        "epoch", "step", "images", "minutes", "size", "learning_rate", "loss", "dev_nme",
    ]  # fmt: skip
    assert [row["epoch"] for row in read] == ["1", "2"]
    assert read[0]["dev_nme"] == "12.3457"
    assert float(read[1]["loss"]) == 1.5


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS])
def test_plot_of_a_history(tmp_path: Path, rows: list[HistoryRow]) -> None:
    path = tmp_path / "metrics.png"
    plot_history(path, rows)
    image = cv2.imread(str(path))
    assert image.shape == (480, 960, 3)
    # The blue of the NME and the grey of the loss, from the first epoch on.
    for colour in ((180, 119, 31), (127, 127, 127)):
        assert (np.abs(image.astype(int) - colour).max(axis=2) < 12).sum() > 15
