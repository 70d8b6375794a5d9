"""The batch on a Ray cluster: a small one, started here once."""

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.paths import PORTRAIT_CLIP
from tests.support.video_files import make_video
from tracker.commands.progress_bars import FileBar
from tracker.runs import ray_cluster
from tracker.runs.file_series import Result
from tracker.runs.job import Job, Summary
from tracker.runs.ray_cluster import RayCluster
from tracker.tracking.options import TrackerOptions


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a cluster of one node with two processors."""
    pytest.importorskip("ray", reason="needs Ray: pip install '.[ray]'")
    import ray
    import ray.cluster_utils

    # Workers get the tests' helpers by value: they have no such module.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node = {"num_cpus": 2, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    here = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=node)
    yield here.address
    ray.shutdown()
    here.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    return {Path(entry["input"]).name: entry for entry in map(json.loads, lines)}


def test_the_same_batch_on_a_cluster(
    run: Run, network: Path, tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(PORTRAIT_CLIP, folder / "face.mp4")
    make_video(folder / "grey.mp4", 5, (160, 120))
    (folder / "bad.mp4").write_text("text\n")
    monkeypatch.chdir(tmp_path)  # workers are elsewhere: they need whole paths
    options = ("in", "--out-dir", "out", "--weights", network, "--max-frames", 8)
    result = run("batch", *options, "--ray", cluster)
    assert result.code == 2
    assert "bad.mp4 is not a video: its content is text" in result.err
    assert result.out.splitlines()[-1] == (
        "2 of 3 files tracked (13 frames), 0 done before, 1 failed; see out/manifest.jsonl"
    )
    assert {path.name for path in Path("out").iterdir()} == {
        "face.csv", "face.mp4", "grey.csv", "grey.mp4", "manifest.jsonl",
    }  # fmt: skip
    alone = run(folder / "face.mp4", "--save", "alone.csv", *options[3:])
    assert alone.code == 0, alone.err
    assert Path("out/face.csv").read_text() == Path("alone.csv").read_text()
    assert manifest(Path("out"))["face.mp4"]["outputs"] == ["out/face.mp4", "out/face.csv"]

    # What is done on a cluster is done here too: one manifest.
    (folder / "bad.mp4").unlink()
    again = run("batch", *options)
    assert again.code == 0
    assert again.out.startswith("0 of 2 files tracked (0 frames), 2 done before, 0 failed")


def _die_on_bad(job: Job) -> Result:
    """Stands in for the work of a job whose file brings the decoder down."""
    if Path(str(job.source)).stem == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return Result(job, Summary(1, 1, 1, 0.0, "none"))


def test_a_lost_worker_takes_only_its_file_along(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "work", _die_on_bad)
    monkeypatch.setattr(ray_cluster, "_RETRIES", 1)
    jobs = [Job(Path(f"{name}.mp4")) for name in ("a", "deadly", "b", "c", "d")]
    with RayCluster(cluster, at_once=2) as connection:
        assert connection.threads == 1
        results = {result.job: result for result in connection.run(jobs)}
    assert list(map(results.__contains__, jobs)) == [True] * 5  # the jobs as they were given
    errors = {str(job.source): result.error for job, result in results.items() if result.error}
    assert list(errors) == ["deadly.mp4"]
    assert "tried it again (WorkerCrashedError)" in str(errors["deadly.mp4"])


def test_ctrl_c_leaves_what_is_finished(
    run: Run, network: Path, tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        shutil.copy(PORTRAIT_CLIP, folder / f"{number}.mp4")
    monkeypatch.setattr(FileBar, "advance", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    result = run("batch", folder, "--out-dir", out, "--weights", network, "--ray", cluster)
    assert result.code == 130
    assert (
        result.err.splitlines()[-1] == "stopped with 1 of 6 files done: the same command goes on."
    )
    ((name, entry),) = manifest(out).items()
    assert (entry["status"], entry["frames"]) == ("done", 120)
    # The other worker was in the middle of a file, and has taken it away.
    left = {path.name for path in out.iterdir()}
    assert {"manifest.jsonl", f"{Path(name).stem}.mp4", f"{Path(name).stem}.csv"} <= left
    assert not [path for path in left if "partial" in path]


def _elsewhere(wanted: list[tuple[str, int]]) -> tuple[str, list[str]]:
    """What a node says that has its disks in other places."""
    return ray_cluster._probe([(f"/elsewhere{path}", size) for path, size in wanted])


def test_nodes_must_see_the_same_files_and_have_the_same_tracker(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shared.mp4"
    path.write_bytes(b"123")
    with RayCluster(cluster) as connection:
        connection.check([path])
        with monkeypatch.context() as patch:
            patch.setattr(ray_cluster, "_probe", _elsewhere)
            with pytest.raises(ray_cluster.InputError, match="on storage that all nodes share"):
                connection.check([path])
        monkeypatch.setattr(ray_cluster, "_version", lambda: "0.0")
        with pytest.raises(ray_cluster.InputError, match=r"this machine 0\.0: install the same"):
            connection.check([path])


def test_without_ray_and_without_a_cluster(
    run: Run, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
    cases = []
    try:
        import ray  # noqa: F401
    except ImportError:
        pass
    else:
        cases += [
            (nobody, f"no Ray cluster can be reached at {nobody}: Connection refused"),
            (f"ray://{nobody}", f"no Ray cluster can be reached at ray://{nobody}"),
            ("somewhere", "'somewhere' is no address of a Ray cluster"),
            ("http://a:1", "'http://a:1' is no address"),
        ]
    command = ("batch", PORTRAIT_CLIP, "--out-dir", tmp_path / "out", "--weights", network, "--ray")
    for address, words in cases:
        result = run(*command, address)
        assert (result.code, result.out) == (2, ""), address
        assert words in result.err
        assert len(result.err.splitlines()) == 1
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run(*command, "auto")
    assert result.code == 2
    assert "--ray needs the package ray: pip install 'propnet-tracker[ray]'." in result.err
    assert not (tmp_path / "out").exists()


def test_files_of_a_job_have_whole_paths_and_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("net.onnx", "boxes.onnx", "small.onnx")
    for name in names:
        Path(name).touch()
    weights, detector, follower = names
    own = TrackerOptions(detector=detector, follower=follower)
    job = ray_cluster._absolute(Job("a.mp4", weights=weights, options=own))
    assert job.networks == tuple(tmp_path / name for name in names)
    usual = Job(tmp_path / "a.mp4")
    assert ray_cluster._absolute(usual) == usual
