import ast
import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.support.commands import Run
from tests.support.fake_camera import FakeCapture
from tests.support.paths import DOCS, PORTRAIT_CLIP, ROOT
from tests.support.video_files import make_video, tone
from tracker.assets.portrait import portrait_image
from tracker.bench.moving_portrait import portrait_frame, portrait_motion
from tracker.commands.progress_bars import FrameBar
from tracker.outputs import preview_window
from tracker.video.frame_source import VideoInfo
from tracker.video.video_reader import VideoReader
from tracker.video.video_writer import VideoWriter


def faceless(path: Path, frames: int = 5) -> Path:
    return make_video(path, frames, (160, 120))


def test_annotated_video_and_table(run: Run, network: Path, tmp_path: Path) -> None:
    out, save = tmp_path / "out.mp4", tmp_path / "out.csv"
    result = run(
        PORTRAIT_CLIP, "--out", out, "--save", save, "--weights", network, "--max-frames", 12,
        "--draw", "points,curves,ids,box",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.err == ""  # no noise of native libraries
    assert result.out.startswith("12 frames, 1 face, a face in 100.0 % of the frames, ")
    assert "OpenVINO" in result.out or "ONNX Runtime" in result.out
    assert result.out.count("\n") == 1
    with VideoReader(out) as annotated, VideoReader(PORTRAIT_CLIP) as original:
        pairs = list(zip(annotated, original, strict=False))
    assert len(pairs) == 12
    with save.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(1, 13))
    for (drawn, plain), row in zip(pairs, rows, strict=True):
        assert drawn.timestamp == pytest.approx(plain.timestamp, abs=1e-4)
        assert float(row["timestamp"]) == pytest.approx(plain.timestamp, abs=1e-4)
        difference = np.abs(drawn.image.astype(int) - plain.image).max(axis=2)
        x, y = float(row["x_0"]), float(row["y_0"])
        assert difference[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].max() > 60
        assert difference[-30:, -30:].max() < 40  # far from the face nothing is drawn


def test_the_sound_is_kept(run: Run, network: Path, tmp_path: Path) -> None:
    # The portrait with a tone: face and sound in one file.
    silent, source = tmp_path / "silent.mp4", tmp_path / "in.mp4"
    make_video(silent, 30, audio=("aac", tone(1.0)))
    info = VideoInfo("test", None, 640, 480, rate=None)
    image, matrices = portrait_image(), portrait_motion()
    with VideoWriter(source, info, audio_from=silent) as writer:
        for index in range(8):
            writer.write(portrait_frame(image, matrices[index]), index / 8)
    result = run(source, "--out", tmp_path / "out.mkv", "--weights", network)
    assert result.code == 0, result.err
    with VideoReader(tmp_path / "out.mkv") as video:
        assert video.info.has_audio
        assert len(list(video)) == 8


def test_video_without_a_face(run: Run, network: Path, tmp_path: Path) -> None:
    video = faceless(tmp_path / "in.mp4")
    result = run(
        video, "--out", tmp_path / "o.mp4", "--save", tmp_path / "o.csv", "--weights", network
    )
    assert result.code == 2
    assert "no face in any of its 5 frames" in result.err
    assert "at least 12 pixels high to be found in 160x120" in result.err
    # The network is no shipped one.
    assert "; or template.onnx is at fault, which does not know them" in result.err
    shipped = run(video, "--save", tmp_path / "o.csv")
    assert "found in 160x120." in shipped.err
    assert result.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def half_of_zeros(path: Path) -> Path:
    """What a download leaves that reserved its space and broke off."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    return path


def test_damage_found_at_the_end_is_a_warning(run: Run, network: Path, tmp_path: Path) -> None:
    options = {"options": {"movflags": "faststart"}, "encoder": {"g": "10"}}
    video = half_of_zeros(make_video(tmp_path / "in.mp4", 90, **options))
    out, save = tmp_path / "out.mp4", tmp_path / "out.csv"
    result = run(video, "--out", out, "--save", save, "--weights", network)
    assert result.code == 2
    assert "no face in any of its" in result.err
    assert "is damaged" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]

    image, moves = portrait_image(), portrait_motion(60)
    pictures = [portrait_frame(image, move) for move in moves]
    half_of_zeros(make_video(video, pictures=pictures, **options))
    result = run(video, "--out", out, "--save", save, "--weights", network)
    assert result.code == 0
    assert result.err.startswith(f"warning: {video} is damaged: its video ends after ")
    assert result.err.count("\n") == 1
    with VideoReader(out) as kept:
        frames = len(list(kept))
    assert 5 <= frames < 55
    assert len(save.read_text().splitlines()) == frames + 1


def test_mistakes_are_one_sentence_and_code_2(run: Run, network: Path, tmp_path: Path) -> None:
    clip = faceless(tmp_path / "in.mp4", 2)
    (tmp_path / "text.mp4").write_text("text\n")
    (tmp_path / "there.mp4").touch()
    out = ("--out", tmp_path / "out.mp4")
    cases: list[tuple[tuple[object, ...], str]] = [
        ((), "no source given"),
        ((clip,), "nothing to make: add --out"),
        ((clip, "--source", "0", *out), "two sources"),
        ((tmp_path / "none.mp4", *out), "does not exist"),
        ((tmp_path / "text.mp4", *out), "content is text"),
        ((clip, "--out", tmp_path / "there.mp4"), "exists already"),
        ((clip, "--out", clip, "--overwrite"), "is the input itself"),
        ((clip, "--out", tmp_path / "out.xyz"), "does not end in .mp4"),
        ((clip, "--save", tmp_path / "out.xlsx"), "does not end in .csv"),
        ((clip, "--draw", "masks", *out), "cannot draw 'masks'"),
        ((clip, "--smooth", "much", *out), "no smoothing preset 'much'"),
        ((clip, "--engine", "abacus", "--weights", network, *out), "no engine 'abacus'"),
        ((clip, "--weights", tmp_path / "none.onnx", *out), "no weights file"),
        ((clip, "--weights", "propnet-xxl", *out), "no shipped weights 'propnet-xxl'"),
        (("--source", "97", *out), "camera 97 is not there"),
        ((clip, "--max-faces", "0", *out), "--max-faces"),
        ((clip, "--crf", "60", *out), "--crf"),
        ((clip, "--nonsense", *out), "--nonsense"),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments, words in cases:
        result = run(*arguments)
        assert result.code == 2, (arguments, result)
        assert words in result.err, (arguments, result)
        assert "Traceback" not in result.err
        assert result.out == ""
        assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["out.xyz", "there.mp4", "table.xlsx", "there.csv"])
def test_names_are_looked_at_before_the_network_is_loaded(
    name: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Loading takes seconds, after which the user would have gone to another window."""
    clip = faceless(tmp_path / "in.mp4", 2)
    for there in ("there.mp4", "there.csv"):
        (tmp_path / there).touch()

    def loaded(*_: object) -> None:
        raise AssertionError("the network was loaded first")

    monkeypatch.setattr("tracker.runs.run_job.Tracker", loaded)
    option = "--save" if name.endswith((".csv", ".xlsx")) else "--out"
    result = run(clip, option, tmp_path / name)
    assert result.code == 2
    assert name in result.err


def test_preview_without_a_display(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(preview_window.sys, "platform", "linux")
    opened: list[int] = []
    monkeypatch.setattr(cv2, "VideoCapture", opened.append)
    for arguments in (("--source", "0"), (PORTRAIT_CLIP, "--show")):
        result = run(*arguments)
        assert result.code == 2
        assert "the preview cannot be shown: there is no display" in result.err
    assert opened == []


class PortraitCapture(FakeCapture):
    """A camera that sees the portrait; a signal comes after `interrupt` frames."""

    def __init__(
        self, interrupt: int | None = None, last: int = 10_000, number: int = signal.SIGINT
    ) -> None:
        super().__init__(last)
        self.number = number
        self.frames = [portrait_frame(portrait_image(), m)[..., ::-1] for m in portrait_motion(8)]
        self.interrupt = interrupt

    def read(self) -> tuple[bool, np.ndarray | None]:
        good, _ = super().read()
        if self.given == self.interrupt:
            os.kill(os.getpid(), self.number)
        return good, np.ascontiguousarray(self.frames[self.given % 8]) if good else None


@pytest.mark.parametrize(
    "capture",
    [
        PortraitCapture(interrupt=240),
        PortraitCapture(interrupt=240, number=signal.SIGTERM),
        PortraitCapture(last=240),
    ],
)
def test_a_camera_run_ends_with_complete_files(
    run: Run,
    network: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capture: PortraitCapture,
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: capture)
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    out, save = tmp_path / "out.mp4", tmp_path / "out.csv"
    result = run("--source", "0", "--no-show", "--out", out, "--save", save, "--weights", network)
    assert result.code == 0, result.err
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert capture.released
    with VideoReader(out) as video:
        times = [frame.timestamp for frame in video]
    with save.open(newline="") as file:
        stated = [float(row["timestamp"]) for row in csv.DictReader(file)]
    assert len(times) == int(result.out.split()[0]) >= 2
    np.testing.assert_allclose(times, stated, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.mp4"]


def test_closing_the_preview_ends_the_run_with_complete_files(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[np.ndarray] = []

    class Window(preview_window.Preview):
        def show(
            self, number: int, draw: preview_window.Drawing, latency: float | None = None
        ) -> bool:
            shown.append(draw(self.layers))
            return len(shown) < 5

    monkeypatch.setattr("tracker.runs.job_outputs.Preview", Window)
    monkeypatch.setattr("tracker.runs.run_job.check_display", lambda: None)
    out = tmp_path / "out.mp4"
    result = run(PORTRAIT_CLIP, "--show", "--out", out, "--weights", network)
    assert result.code == 0, result.err
    with VideoReader(out) as video:
        assert len(list(video)) == len(shown) == 5


def test_a_recording_without_a_face_is_kept(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda index: FakeCapture(last=10_000))
    out = tmp_path / "out.mp4"
    result = run(
        "--source", "0", "--no-show", "--out", out, "--weights", network, "--max-frames", 10
    )
    assert result.code == 0, result.err
    assert "0 faces, a face in 0.0 % of the frames" in result.out
    assert out.exists()


def test_a_full_disk_ends_the_run_and_leaves_nothing(
    run: Run, network: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tracker.video.video_writer.VideoWriter._add_audio", full)
    result = run(PORTRAIT_CLIP, "--out", tmp_path / "out.mp4", "--weights", network)
    assert result.code == 2
    assert "out.mp4 cannot be written on: No space left on device" in result.err
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    assert "Usage: propnet-track [OPTIONS] [VIDEO]" in result.out
    for name in (
        "--source", "--out", "--save", "--show", "--weights", "--engine", "--max-faces",
        "--smooth", "--draw", "--crf", "--overwrite", "--max-frames", "--version",
    ):  # fmt: skip
        assert name in result.out
    assert run("track", "--help").out == result.out
    version = run("--version")
    assert version.code == 0
    assert version.out.startswith("propnet-track ")


def test_commands_are_found_by_name_and_videos_by_path(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[int] = []

    def bench_command(frames: int = 3) -> None:
        called.append(frames)

    monkeypatch.setitem(
        sys.modules, "tracker.commands.bench", SimpleNamespace(bench_command=bench_command)
    )
    assert run("bench", "--frames", "5").code == 0
    assert called == [5]
    assert "bench does not exist" in run("./bench", "--save", "x.csv").err


@pytest.mark.parametrize(
    ("stated", "limit", "shown"),
    [(None, None, None), (3, None, 10), (100, None, 100), (100, 20, 20), (None, 20, 20)],
)
def test_progress_bar_lives_with_wrong_totals(
    stated: int | None, limit: int | None, shown: int | None
) -> None:
    with FrameBar(limit) as bar:
        bar.start(VideoInfo("clip", Path("clip.mp4"), 8, 8, frames=stated))
        for count in range(1, 11):
            bar.advance(count)
        assert bar.state == (10, shown)


def test_several_tables_of_one_run(run: Run, network: Path, tmp_path: Path) -> None:
    saves = [tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "c.csv"]
    options = [word for path in saves for word in ("--save", path)]
    result = run(PORTRAIT_CLIP, *options, "--weights", network, "--max-frames", 3)
    assert result.code == 0, result.err
    assert f"; wrote {saves[0]}; wrote {saves[1]}; wrote {saves[2]}" in result.out
    assert saves[0].read_bytes() == saves[2].read_bytes()
    assert len(saves[1].read_text().splitlines()) == 3
    new, out = tmp_path / "new.csv", tmp_path / "out.mp4"
    for words, problem in (
        (("--save", new, "--save", new), "new.csv cannot be two tables: give two names."),
        (("--save", new, "--out", out, "--save", out), "cannot be both the video and the table"),
        (("--out", out, "--out", tmp_path / "b.mp4"), "--out is given twice, "),
        (("--crops", tmp_path / "d", "--crops", tmp_path / "e"), "--crops is given twice, "),
    ):
        refused = run(PORTRAIT_CLIP, *words, "--weights", network)
        assert refused.code == 2
        assert problem in refused.err
    series = run("--source", DOCS / "*.mp4", "--save", tmp_path / "x", "--save", tmp_path / "y")
    assert (series.code, "--save can be given once" in series.err) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in saves}


def test_names_that_look_unfinished_are_nobodys_to_remove(
    run: Run, network: Path, tmp_path: Path
) -> None:
    clip, table = tmp_path / "clip.partial.mp4", tmp_path / "foo.partial.csv"
    shutil.copy(PORTRAIT_CLIP, clip)
    table.write_text("mine\n")
    result = run(
        clip, "--out", tmp_path / "clip.mp4", "--save", tmp_path / "foo.csv",
        "--weights", network, "--max-frames", 3,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert clip.read_bytes() == PORTRAIT_CLIP.read_bytes()
    assert table.read_text() == "mine\n"
    names = {"clip.mp4", "clip.partial.mp4", "foo.csv", "foo.partial.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_help_waits_for_no_library() -> None:
    """Whoever imports one of these at the top of a command makes every start slower."""
    program = (
        "import sys\n"
        "sys.argv = ['propnet-track', '--help']\n"
        "from tracker import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "--offline-smooth" in result.stdout
    loaded = set(ast.literal_eval(result.stderr))
    assert {"tracker", "typer", "model"} <= loaded
    heavy = {
        "av", "cv2", "matplotlib", "mediapipe", "nncf", "numpy", "onnx", "onnxruntime", "openvino",
        "platformdirs", "pyarrow", "ray", "scipy", "sklearn", "tensorrt", "torch",
    }  # fmt: skip
    assert not loaded & heavy
