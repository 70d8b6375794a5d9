"""WFLW reader: what a list line means, and that every malformed one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from model.errors import InputError
from train.data.datasets import read_dataset
from train.data.sample import Sample, read_image, tight_box
from train.data.select_by_name import select_named
from train.data.wflw import read_wflw, source_of

LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"
NAMES = ["300w/helen/trainset/1.jpg", "ytf/a.png", "37--Soccer/1.jpg", "lone.jpg"]


def line_of(index: int, name: str) -> list[str]:
    """Fields of face `index`: point k at (k + index, 2 k + 0.25)."""
    points = [(f"{k + index:.6f}", f"{2 * k + 0.25:.6f}") for k in range(98)]
    box = [str(index), "0", str(98 + index), "195"]
    flags = [str((index >> bit) & 1) for bit in range(6)]
    return [*(value for point in points for value in point), *box, *flags, name]


def write_dataset(root: Path, lines: list[list[str]], split: str = "test") -> Path:
    path = root / LIST.format(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(fields) + "\n" for fields in lines), encoding="utf-8")
    for name in NAMES:
        image = root / "WFLW_images" / name
        image.parent.mkdir(parents=True, exist_ok=True)
        # Red, so that a swap of channels shows.
        assert cv2.imwrite(str(image), np.full((200, 120, 3), (0, 0, 250), dtype=np.uint8))
    return path


def test_a_line_becomes_a_sample(tmp_path: Path) -> None:
    write_dataset(tmp_path, [line_of(i, name) for i, name in enumerate(NAMES)])
    samples = read_wflw(tmp_path, "test")
    assert len(samples) == len(NAMES)
    third = samples[2]
    expected = np.stack([np.arange(98) + 2, 2 * np.arange(98) + 0.25], axis=1)
    np.testing.assert_array_equal(third.points, expected)
    np.testing.assert_array_equal(third.box, [2, 0, 100, 195])
    assert third.attributes == (0, 1, 0, 0, 0, 0)
    assert third.image == tmp_path / "WFLW_images" / NAMES[2]
    assert [sample.source for sample in samples] == ["300w/helen", "ytf", "wflw", "wflw"]
    assert third.points.dtype == np.float64


def test_pictures_are_rgb(tmp_path: Path) -> None:
    write_dataset(tmp_path, [line_of(0, "ytf/a.png")])
    image = read_dataset("wflw", tmp_path, "test")[0].load()
    assert image.shape == (200, 120, 3)
    assert image.dtype == np.uint8
    assert (image == (250, 0, 0)).all()


def test_grey_pictures_get_three_channels(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "grey.png"), np.full((3, 3), 7, dtype=np.uint8))
    assert (read_image(tmp_path / "grey.png") == np.full((3, 3, 3), 7)).all()


def test_blank_lines_and_carriage_returns_are_harmless(tmp_path: Path) -> None:
    path = write_dataset(tmp_path, [line_of(0, NAMES[0]), line_of(1, NAMES[1])])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert len(read_wflw(tmp_path, "test")) == 2


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("300w/lfpw/trainset/image_1.jpg", "300w/lfpw"),
        ("300w/afw/1_1.jpg", "300w/afw"),
        ("wild/1.jpg", "wild"),
        ("0--Parade/0_Parade_1.jpg", "wflw"),
        ("1.jpg", "wflw"),
    ],
)
def test_source_of(name: str, source: str) -> None:
    assert source_of(name) == source


def set_field(index: int, value: str) -> Callable[[list[str]], list[str]]:
    return lambda fields: [*fields[:index], value, *fields[index:][1:]]


def check_second_line_is_refused(
    folder: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    path = write_dataset(folder, [line_of(0, NAMES[0]), change(line_of(1, NAMES[1]))])
    with pytest.raises(InputError, match=message) as caught:
        read_wflw(folder, "test")
    assert f"{path}, line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields[1:], "206 fields instead of 207"),
        (lambda fields: [*fields, "more"], "208 fields instead of 207"),
        (set_field(3, "abc"), "'abc'.*must be numbers"),
        (set_field(3, "nan"), "nan is not a finite number"),
        (set_field(195, "inf"), "inf is not a finite number"),
        (set_field(198, "1"), "the rectangle 1 0 1 195 has no area"),
        (set_field(199, "-5"), "has no area"),
        (set_field(200, "2"), "the attribute pose is '2'"),
        (set_field(205, "0.0"), "the attribute blur is '0.0'"),
        (set_field(206, "ytf/missing.jpg"), "missing.jpg does not exist"),
        (set_field(206, "nowhere/1.jpg"), "1.jpg does not exist"),
    ],
)
def test_a_malformed_line_is_named(
    tmp_path: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    check_second_line_is_refused(tmp_path, change, message)


def moved(x: float, y: float, last: int = 98) -> Callable[[list[str]], list[str]]:
    """The first landmarks elsewhere."""

    def change(fields: list[str]) -> list[str]:
        values = np.array(fields[:196], float).reshape(98, 2)
        values[:last] += (x, y)
        return [*map(str, values.ravel()), *fields[196:]]

    return change


def same_eyes(fields: list[str]) -> list[str]:
    """The outer corners of both eyes in one place."""
    return [*fields[:144], *fields[120:122], *fields[146:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: [*["7"] * 196, *fields[196:]], "all landmarks lie within 0 pixels"),
        (lambda fields: [*["7"] * 120, *fields[120:]], "59 of the 98 landmarks coincide"),
        (same_eyes, "line 2: the points of 'inter-ocular' coincide"),
        (moved(-500, -500), "98 of the 98 landmarks lie off the picture of 120x200"),
        (moved(0, 200), "98 of the 98 landmarks lie off"),
        (moved(0, 300, 60), "60 of the 98 landmarks lie off"),
        (moved(1e30, 0, 1), "a landmark lies far off the picture"),
        (lambda fields: [*fields[:196], "500", "0", "700", "90", *fields[200:]], "rectangle lies"),
        (lambda fields: [*fields[:196], "0", "0", "9e9", "9e9", *fields[200:]], "rectangle is far"),
    ],
)
def test_a_face_that_cannot_be_is_named(
    tmp_path: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    check_second_line_is_refused(tmp_path, change, message)


def test_faces_that_are_cut_off_may_be(tmp_path: Path) -> None:
    cut = moved(-60, 0, 40)(line_of(0, NAMES[0]))
    assert min(map(float, cut[:196])) < -50
    write_dataset(tmp_path, [cut])
    assert len(read_wflw(tmp_path, "test")) == 1


def test_only_training_can_do_without_landmarks(tmp_path: Path) -> None:
    box_only = [*["nan"] * 196, *line_of(1, NAMES[1])[196:]]
    path = write_dataset(tmp_path, [line_of(0, NAMES[0]), box_only])
    with pytest.raises(InputError, match="line 2: the face has no landmarks, which only training"):
        read_wflw(tmp_path, "test")
    path.rename(path.with_name("list_98pt_rect_attr_train.txt"))
    first, second = read_wflw(tmp_path, "train")
    assert (first.has_points, second.has_points) == (True, False)
    assert np.isnan(second.points).all()
    assert np.isfinite(second.box).all()
    # A box that is unknown as well is a mistake.
    wrong = " ".join([*box_only[:196], "nan", *box_only[197:]])
    path.with_name("list_98pt_rect_attr_train.txt").write_text(wrong)
    with pytest.raises(InputError, match="the coordinate nan is not a finite number"):
        read_wflw(tmp_path, "train")


def test_a_list_that_is_missing_empty_or_binary(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data must name the folder"):
        read_wflw(tmp_path, "test")
    path = write_dataset(tmp_path, [])
    with pytest.raises(InputError, match="holds no face"):
        read_wflw(tmp_path, "test")
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="not a text file"):
        read_wflw(tmp_path, "test")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no split 'dev'"):
        read_dataset("wflw", tmp_path, "dev")
    with pytest.raises(InputError, match="unknown dataset 'aflw'"):
        read_dataset("aflw", tmp_path, "test")
    with pytest.raises(InputError, match="does not exist"):
        read_dataset("wflw", tmp_path / "none", "test")


def test_a_file_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    for content in (b"", b"not a picture"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"1\.jpg is damaged, or a kind of picture"):
            read_image(path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_image(tmp_path / "2.jpg")


def make_sample(path: str) -> Sample:
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    return Sample(Path(path), points, tight_box(points), "wflw")


def test_select_named(tmp_path: Path) -> None:
    samples = [make_sample(f"/d/300w/{name}") for name in ("afw/1.jpg", "ibug/1.jpg", "afw/2.jpg")]
    names = tmp_path / "names.txt"
    names.write_text("2.jpg\n\n1.5 2.5 0 1 300w/afw/1.jpg\n", encoding="utf-8")
    assert select_named(samples, names) == [samples[2], samples[0]]
    for text, message in [
        ("afw/2.jpg\n1.jpg\n", "line 2: 1.jpg fits 2 pictures"),
        ("fw/2.jpg\n", "line 1: fw/2.jpg fits 0 pictures"),
        ("\n", "names no picture"),
    ]:
        names.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            select_named(samples, names)
    with pytest.raises(InputError, match="cannot read the list"):
        select_named(samples, tmp_path / "none.txt")


def test_the_training_faces(data_root: Path) -> None:
    samples = read_wflw(data_root / "faces", "train")
    assert len(samples) == 5078
    for sample in samples[::500]:
        # The rectangle is the tight box of the points, rounded outwards.
        tight = tight_box(sample.points)
        assert (sample.box[:2] <= tight[:2]).all()
        assert (sample.box[2:] >= tight[2:]).all()
        np.testing.assert_allclose(sample.box, tight, atol=1.0)
        height, width = sample.load().shape[:2]
        assert (sample.points < (width, height)).all()
