"""Training by two processes: one gradient, one decision, one writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from model.errors import InputError
from tests.support.ddp_program import gradients_after_one_step
from tests.support.face_files import read_faces, write_faces
from tests.support.paths import ROOT
from train.learning.processes import World, join_world

Seen = tuple[Path, Path, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What both processes of one run saw, with the data and the folder that they wrote to."""
    data, out = write_faces(tmp_path_factory.mktemp("faces")), tmp_path_factory.mktemp("out")
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "tests.support.ddp_program", data, out,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return data, out, [torch.load(out / f"rank{rank}.pt") for rank in (0, 1)]


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_both_processes_know_their_place(seen: Seen) -> None:
    ranks = seen[2]
    assert [rank["world"] for rank in ranks] == [(0, 2, True), (1, 2, False)]
    assert [rank["mean"] for rank in ranks] == [[0.5, 4.0]] * 2
    assert [rank["agree"] for rank in ranks] == [10.0] * 2


def test_gradients_are_those_of_one_process_with_both_batches(seen: Seen, tmp_path: Path) -> None:
    data, _, ranks = seen
    alone = gradients_after_one_step(read_faces(data), World(0, 1, torch.device("cpu")), tmp_path)
    for rank in ranks:
        assert rank["gradients"].keys() == alone.keys()
        for name, expected in alone.items():
            error = (rank["gradients"][name] - expected).norm() / expected.norm()
            assert error < 1e-4, name
    # Half of the batch gives another gradient: the comparison can fail.
    assert_equal(ranks[0]["gradients"], ranks[1]["gradients"])


def test_both_hold_the_same_weights_at_the_end(seen: Seen) -> None:
    first, second = seen[2]
    assert_equal(first["learned"], second["learned"])
    # 24 faces in batches of 4 by two processes, twice.
    assert first["steps"] == second["steps"] == (6, 48, 2)
    assert first["losses"] == second["losses"]
    assert first["losses"][1] < first["losses"][0]


def test_only_the_leading_process_writes(seen: Seen) -> None:
    out = seen[1]
    assert {path.name for path in (out / "run0").iterdir()} == {
        "best.safetensors", "last.safetensors", "checkpoint.pt", "metrics.csv", "metrics.png",
    }  # fmt: skip
    assert not (out / "run1").exists()


def test_a_signal_to_one_stops_both_and_the_run_resumes_to_the_same_bits(seen: Seen) -> None:
    first, second = seen[2]
    assert first["stopped"] == second["stopped"] == (2, signal.SIGTERM)
    assert first["resumed at"] == second["resumed at"] == 2
    for rank in (first, second):
        assert_equal(rank["resumed"], first["learned"])


def test_clocks_that_differ_give_the_same_stages_and_end(seen: Seen) -> None:
    first, second = (rank["timed"] for rank in seen[2])
    assert first == second
    assert first[0][2] == 64
    assert {size for _, _, size, _ in first[1:]} <= {128}
    # 0.04 minutes and the step that was under way, not a thousandth of it.
    assert 0.04 <= first[-1][3] < 0.8


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_world("cpu") as world:
        assert (world.rank, world.size, world.leads) == (0, 1, True)
        assert world.device == torch.device("cpu")
        value = torch.tensor([3.0])
        assert world.mean(value) is value
        assert world.agree(2.5) == 2.5


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(InputError, match="process 1 has no GPU of its own, there are 1: start as"),
        join_world("cuda"),
    ):
        pass
