import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from model.errors import InputError
from tests.support.commands import Run
from tests.support.picture_files import portrait, save
from tests.support.video_files import make_video, picture
from tracker import Tracker
from tracker.assets.portrait import portrait_image
from tracker.sources.file_list import find_inputs, is_series, natural_key, output_names
from tracker.sources.open_source import open_source
from tracker.video.picture_file import PictureReader
from tracker.video.video_reader import VideoReader


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_pictures_are_sources_of_one_frame(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"in{suffix}", picture(64, 48))
    with open_source(str(path)) as source:
        assert isinstance(source, PictureReader)
        assert source.info.still
        assert (source.info.width, source.info.height, source.info.expected_frames) == (64, 48, 1)
        ((number, timestamp, image),) = source
    assert (number, timestamp) == (0, 0.0)
    assert np.abs(image.astype(int) - picture(64, 48)).mean() < 12  # JPEG, WebP


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    with open_source(save(tmp_path / "a.png", picture()).rename(tmp_path / "a.mp4")) as source:
        assert source.info.still
    with open_source(make_video(tmp_path / "b.mp4", 3).rename(tmp_path / "b.jpg")) as source:
        assert isinstance(source, VideoReader)
    (tmp_path / "c.jpg").write_text("no picture at all\n")
    with pytest.raises(InputError, match=r"c.jpg"):
        open_source(tmp_path / "c.jpg")
    data = save(tmp_path / "d.jpg", picture()).read_bytes()
    (tmp_path / "d.jpg").write_bytes(data[:30])
    with pytest.raises(InputError, match=r"d.jpg is damaged, or a kind of picture"):
        open_source(tmp_path / "d.jpg")


def test_a_gif_is_a_picture_if_it_has_one_frame(tmp_path: Path) -> None:
    for frames in (1, 3):
        path = tmp_path / f"{frames}.gif"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
            for level in range(frames):
                frame = av.VideoFrame.from_ndarray(picture(level=100 + level)).reformat(
                    format="rgb8"
                )
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with open_source(path) as source:
            assert source.info.still == (frames == 1)
            assert len(list(source)) == frames


def test_grey_deep_and_transparent_pictures(tmp_path: Path) -> None:
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20
    cv2.imwrite(str(tmp_path / "deep.png"), grey)
    with open_source(tmp_path / "deep.png") as source:
        ((_, _, image),) = source
    np.testing.assert_allclose(image[..., 0], grey / 257, atol=1)
    assert (image == image[..., :1]).all()
    alpha = np.dstack([picture()[..., ::-1], np.full((48, 64), 255, np.uint8)])
    cv2.imwrite(str(tmp_path / "alpha.png"), alpha)
    with open_source(tmp_path / "alpha.png") as source:
        ((_, _, image),) = source
    np.testing.assert_array_equal(image, picture())


def test_a_phone_photo_is_turned_upright(tmp_path: Path) -> None:
    plain = save(tmp_path / "plain.jpg", picture(96, 64)).read_bytes()
    # An EXIF block with one entry: orientation (0x0112) 6, "turn clockwise by 90 degrees".
    tiff = b"II*\0\x08\0\0\0\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    block = b"Exif\0\0" + tiff
    head = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    (tmp_path / "phone.jpg").write_bytes(plain[:2] + head + plain[2:])
    with open_source(tmp_path / "phone.jpg") as source:
        ((_, _, image),) = source
    assert image.shape == (96, 64, 3)
    with open_source(tmp_path / "plain.jpg") as source:
        ((_, _, flat),) = source
    np.testing.assert_array_equal(image, np.rot90(flat, -1))


def test_natural_order() -> None:
    names = ["b/1.jpg", "a/img10.jpg", "a/IMG9.jpg", "a/img2.jpg", "a/img2b.jpg", "a/7.jpg"]
    ordered = sorted(map(Path, names), key=natural_key)
    assert [path.as_posix() for path in ordered] == [
        "a/7.jpg", "a/img2.jpg", "a/img2b.jpg", "a/IMG9.jpg", "a/img10.jpg", "b/1.jpg",
    ]  # fmt: skip


def test_what_folders_and_patterns_mean(tmp_path: Path) -> None:
    for name in ("10.jpg", "9.PNG", "clip.mp4", "notes.txt", "x.partial.mp4", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "sub.mp4").mkdir()
    (tmp_path / "sub.mp4" / "3.jpg").touch()
    (tmp_path / "odd[1].jpg").touch()

    def names(*sources: str) -> list[str]:
        return [path.name for path in find_inputs([str(tmp_path / one) for one in sources])]

    assert names(".") == ["9.PNG", "10.jpg", "clip.mp4", "odd[1].jpg"]
    assert names("*.jpg") == ["10.jpg", "odd[1].jpg"]
    assert names("**/*.jpg") == ["10.jpg", "odd[1].jpg", "3.jpg"]
    assert names("clip.mp4", ".", "odd[1].jpg") == ["clip.mp4", "9.PNG", "10.jpg", "odd[1].jpg"]
    with pytest.raises(InputError, match="no file of that name"):
        names("*.avi")
    with pytest.raises(InputError, match="no video or picture in it"):
        (tmp_path / "empty").mkdir()
        names("empty")
    assert is_series(tmp_path)
    assert is_series(str(tmp_path / "*.jpg"))
    assert not is_series(str(tmp_path / "odd[1].jpg"))
    assert not is_series("rtsp://cam/live?x=[1]")
    assert not is_series(0)


def test_brackets_in_names(tmp_path: Path) -> None:
    names = ("take[1]/a.jpg", "take[1]/b.jpg", "take1/c.jpg", "x/cut[2]/d.jpg", "x/[e] 1.png")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def found(pattern: str) -> list[str]:
        assert is_series(tmp_path / pattern)
        return [path.name for path in find_inputs([tmp_path / pattern])]

    assert found("take[1]") == ["a.jpg", "b.jpg"]
    assert found("take[1]/*.jpg") == ["a.jpg", "b.jpg"]  # not take1, though the pattern says so
    assert found("take[1]/[b].jpg") == ["b.jpg"]
    assert found("take[0-9]/*.jpg") == ["c.jpg"]
    assert found("*/cut[2]/*") == ["d.jpg"]
    assert found("x/[e]*.png") == ["[e] 1.png"]


def test_outputs_of_an_earlier_run_are_no_inputs(tmp_path: Path) -> None:
    for name in ("a.mp4", "out/a.mp4", "out/deep/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    out, clips = tmp_path / "out", tmp_path / "**" / "*.mp4"
    assert find_inputs([clips], [out, None]) == [tmp_path / "a.mp4", out / "deep" / "b.mp4"]
    assert len(find_inputs([clips])) == 3
    # Nothing but outputs is meant to be tracked, or a mistake that others speak of.
    assert find_inputs([out / "*.mp4"], [out]) == [out / "a.mp4"]
    assert find_inputs([out / "a.mp4"], [out]) == [out / "a.mp4"]


def test_numbered_names_are_no_pattern_here(run: Run, tmp_path: Path) -> None:
    portrait(tmp_path / "f_001.jpg")
    refused = run(tmp_path / "f_%03d.jpg", "--save", tmp_path / "out.csv")
    assert refused.code == 2
    assert f"give a pattern, '{tmp_path}/f_*.jpg'" in " ".join(refused.err.split())
    assert [path.name for path in find_inputs([tmp_path / "f_*.jpg"])] == ["f_001.jpg"]


def test_output_names_are_short_and_different() -> None:
    def names(*paths: str) -> list[str]:
        return output_names([Path(path) for path in paths])

    assert names("/d/a.jpg", "/d/b.mp4") == ["a", "b"]
    assert names("/d/a.jpg", "/d/a.png", "/d/b.png") == ["a_jpg", "a_png", "b"]
    assert names("/x/c.mp4", "/y/c.mp4", "/y/d.mp4") == ["x_c_mp4", "y_c_mp4", "d"]
    assert names("/d/A.jpg", "/d/a.png") == ["A_jpg", "a_png"]
    with pytest.raises(InputError, match="given twice"):
        names("/d/a.jpg", "/d/a.jpg")


def test_one_picture_on_the_command_line(run, network: Path, tmp_path: Path) -> None:
    source = portrait(tmp_path / "in.jpg")
    out, table = tmp_path / "out.png", tmp_path / "out.csv"
    result = run(source, "--out", out, "--save", table, "--weights", network)
    assert result.code == 0, result.err
    drawn, plain = cv2.imread(str(out)), cv2.imread(str(source))
    assert drawn.shape == plain.shape
    changed = np.abs(drawn.astype(int) - plain).max(axis=2) > 0
    assert 0.001 < changed.mean() < 0.3  # lines on the face, nothing else
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert (row["frame"], float(row["timestamp"]), row["success"]) == ("1", 0.0, "1")
    refused = run(source, "--out", tmp_path / "out.mp4", "--weights", network)
    assert refused.code == 2
    assert "out.mp4 does not end in .png or .jpg" in refused.err


def test_a_folder_on_the_command_line(run, network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    portrait(folder / "face2.jpg")
    portrait(folder / "face10.png")
    save(folder / "nobody.png", picture(160, 120))
    make_video(folder / "clip.mp4", 4, (160, 120))
    (folder / "bad.jpg").write_text("text\n")
    out = tmp_path / "out"
    result = run(folder, "--out", out, "--save", out, "--weights", network)
    assert result.code == 2
    assert result.out.startswith("4 of 5 files tracked, a face in 2 of them, 7 frames, with ")
    assert "bad.jpg" in result.err
    assert "1 of 5 files could not be tracked" in result.err
    assert sorted(path.name for path in out.iterdir()) == [
        "clip.csv", "clip.mp4", "face10.csv", "face10.png", "face2.csv", "face2.jpg",
        "nobody.csv", "nobody.png",
    ]  # fmt: skip
    for name, success in (("face2", "1"), ("nobody", "0")):
        rows = list(csv.DictReader((out / f"{name}.csv").read_text().splitlines()))
        assert [row["success"] for row in rows] == [success]
    np.testing.assert_array_equal(
        cv2.imread(str(out / "nobody.png")), cv2.imread(str(folder / "nobody.png"))
    )
    again = run(folder, "--out", folder, "--weights", network)
    assert again.code == 2
    assert "holds the input" in again.err
    file = run(folder, "--save", tmp_path / "all.csv", "--weights", network)
    assert "for many inputs give the name of a folder" in file.err


def test_pictures_in_python(network: Path, tmp_path: Path) -> None:
    portrait(tmp_path / "1.png")
    save(tmp_path / "2.png", np.ascontiguousarray(np.roll(portrait_image(), 60, axis=1)))
    with Tracker(network) as tracker:
        frames = list(tracker.track(tmp_path))
        alone = next(tracker.track(tmp_path / "2.png"))
    assert [(frame.index, frame.timestamp) for frame in frames] == [(0, 0.0), (0, 0.0)]
    assert [Path(frame.source).name for frame in frames] == ["1.png", "2.png"]
    ids = [face.id for frame in frames for face in frame.faces]
    assert ids == [0, 0]  # nothing is carried over
    np.testing.assert_array_equal(frames[1].faces[0].landmarks, alone.faces[0].landmarks)
