"""Whatever one file raises is that file's failure."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Run
from tests.support.paths import PORTRAIT_CLIP
from tests.support.video_files import make_video
from tracker.runs import file_series
from tracker.runs.job import Job, Summary
from tracker.runs.run_job import run_job

FAULTS = [
    UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid continuation byte"),
    ValueError("two\nlines"),
    MemoryError(),
    RecursionError("too deep"),
    OSError(5, "Input/output error"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_one_file_fails_and_the_rest_goes_on(
    run: Run, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        make_video(tmp_path / name, 3, (160, 120))

    def faulty(job: Job, *given: Any, **named: Any) -> Summary:
        if Path(str(job.source)).name == "b.mp4":
            raise fault
        return run_job(job, *given, **named)

    monkeypatch.setattr(file_series, "run_job", faulty)
    result = run(tmp_path, "--save", tmp_path / "out", "--weights", network)
    assert result.code == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "c.csv"]
    failed, end = result.err.splitlines()
    assert failed.startswith(
        f"failed: {tmp_path / 'b.mp4'} cannot be tracked: {type(fault).__name__}"
    )
    assert "1 of 3 files could not be tracked" in end
    assert "Traceback" not in result.err


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_signal_ends_the_series(
    monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    def stopped(*_: Any, **__: Any) -> Summary:
        raise end

    monkeypatch.setattr(file_series, "run_job", stopped)
    with pytest.raises(end):
        file_series.attempt(Job("a.mp4"), None)  # type: ignore[arg-type]


def test_a_title_in_another_encoding_does_not_stop_a_batch(
    run: Run, network: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    title = {"title": "Video de Rene"}
    path = make_video(folder / "titled.mkv", 3, (160, 120), metadata=title)
    path.write_bytes(path.read_bytes().replace(b"Video de Rene", b"Vid\xe9o de Ren\xe9"))
    make_video(folder / "plain.mkv", 3, (160, 120))
    result = run("batch", folder, "--out-dir", out, "--weights", network)
    assert result.code == 0, result.err
    entries = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [entry["status"] for entry in entries] == ["done", "done"]


def test_warnings_are_said_and_kept_in_the_manifest(
    run: Run, network: Path, tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "in.ts", 10, (160, 120))
    clip.write_bytes(2 * clip.read_bytes())
    result = run("batch", clip, "--out-dir", tmp_path / "out", "--weights", network)
    assert result.code == 0, result.err
    words = f"{clip}: its clock begins anew after 0.3 s; times go on from there."
    assert result.err == f"warning: {words}\n"
    (entry,) = map(json.loads, (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert entry["warnings"] == [words]
    assert entry["frames"] == 20


def test_names_that_are_not_utf8(run: Run, network: Path, tmp_path: Path) -> None:
    clip = tmp_path / "vid\udce9o.mp4"
    try:
        clip.write_bytes(PORTRAIT_CLIP.read_bytes())
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    for _ in range(2):
        result = run(
            "batch", clip, "--out-dir", tmp_path / "out", "--weights", network, "--max-frames", 2
        )
        assert result.code == 0, result.err
    assert "1 done before" in result.out
    result = run(clip, "--out", tmp_path / "o\udce9.mp4", "--weights", network, "--max-frames", 2)
    assert result.code == 0, result.err
    assert r"o\udce9.mp4" in result.out
