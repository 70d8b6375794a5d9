"""COCO, dlib and CSV files with points of one's own: read alike, refused by place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.own_files import (
    NAMES,
    arrow_markup,
    arrows,
    coco,
    draw_arrow,
    write_coco_folder,
    write_csv_file,
    write_dlib_file,
    write_pictures,
)
from tests.support.picture_files import exif
from train.data.coco import read_coco, write_coco
from train.data.csv_points import read_csv
from train.data.datasets import OwnPoints, markup_of, read_dataset
from train.data.dlib_xml import read_dlib
from train.data.network_faces import NetworkFaces
from train.data.sample import Sample, tight_box
from train.data.split import split_by_picture
from train.data.training_sets import read_training_sets

ARROW = arrow_markup()


@pytest.fixture
def faces() -> list[np.ndarray]:
    found = arrows(4)
    found[1][2] = np.nan
    return found


@pytest.mark.parametrize("kind", ["coco", "dlib", "dlib numbers", "csv"])
def test_every_kind_gives_the_same(kind: str, faces: list[np.ndarray], tmp_path: Path) -> None:
    names = write_pictures(tmp_path, faces)
    if kind == "coco":
        (tmp_path / "labels.json").write_text(json.dumps(coco(names, faces)))
    elif kind == "csv":
        write_csv_file(tmp_path / "labels.csv", names, faces)
    else:
        write_dlib_file(tmp_path / "labels.xml", names, faces, numbers=kind == "dlib numbers")
    samples = read_dataset(kind.split(maxsplit=1)[0], tmp_path, "all", own=OwnPoints(ARROW))
    assert [sample.image.name for sample in samples] == names
    for sample, points in zip(samples, faces, strict=True):
        np.testing.assert_allclose(sample.points, points, atol=1e-9)
        assert sample.markup is ARROW
        assert sample.load().shape == (120, 160, 3)
        if kind == "csv":
            np.testing.assert_allclose(sample.box, tight_box(points))
            assert not sample.loose_box
        else:
            grown = np.add(tight_box(points), (-4, -4, 4, 4))
            np.testing.assert_allclose(sample.box, grown, atol=1.0)
            # Where a point is missing, its own box says nothing.
            assert sample.loose_box == bool(np.isfinite(points).all())


def test_hidden_points_are_learned_on_request(faces: list[np.ndarray], tmp_path: Path) -> None:
    names = write_pictures(tmp_path, faces)
    values = coco(names, faces)
    values["annotations"][0]["keypoints"][5] = 1
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(values))
    assert np.isnan(read_coco(file, ARROW)[0].points[1]).all()
    np.testing.assert_allclose(read_coco(file, ARROW, hidden=True)[0].points, faces[0])
    for entry in values["annotations"]:
        entry["keypoints"][2::3] = [min(v, 1) for v in entry["keypoints"][2::3]]
    file.write_text(json.dumps(values))
    with pytest.raises(InputError, match="--hidden-points"):
        read_coco(file, ARROW)


def test_points_come_by_name_from_a_larger_markup(tmp_path: Path) -> None:
    faces = arrows(2)
    names = write_pictures(tmp_path, faces)
    values = coco(names, faces)
    values["categories"][0]["keypoints"] = ["other", *reversed(NAMES)]
    for entry, points in zip(values["annotations"], faces, strict=True):
        rows = [[0, 0, 0], *([*point, 2] for point in points[::-1].tolist())]
        entry["keypoints"] = np.ravel(rows).tolist()
    # Of another category, with other points, in the same picture.
    values["categories"].append({"id": 4, "name": "box", "keypoints": ["corner"]})
    values["annotations"].append({"image_id": 7, "category_id": 4, "keypoints": [1, 1, 2]})
    values["annotations"].append({"image_id": 7, "category_id": 3, "bbox": [1, 1, 5, 5]})
    (tmp_path / "a.json").write_text(json.dumps(values))
    for sample, points in zip(read_coco(tmp_path / "a.json", ARROW), faces, strict=True):
        np.testing.assert_allclose(sample.points, points)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_written_file_reads_the_same(tmp_path_factory, seed: int, missing: bool) -> None:
    folder = tmp_path_factory.mktemp("coco")
    faces = arrows(3, seed)
    if missing:
        faces[0][seed % 3] = np.nan
    names = write_pictures(folder, faces)
    samples = [
        Sample(folder / "images" / name, points, tight_box(points), "x", own_markup=ARROW)
        for name, points in zip(names, faces, strict=True)
    ]
    write_coco(folder / "a.json", samples, folder, [(160, 120)] * 3)
    for found, sample in zip(read_coco(folder / "a.json", ARROW), samples, strict=True):
        np.testing.assert_array_equal(found.points, sample.points)
        np.testing.assert_allclose(found.box, sample.box, atol=1e-9)
        assert found.image == sample.image
    with pytest.raises(InputError, match="does not lie in"):
        write_coco(folder / "a.json", samples, folder / "annotations", [(160, 120)] * 3)


def test_pictures_are_marked_as_exif_shows_them(tmp_path: Path) -> None:
    (points,) = arrows(1)
    block = np.frombuffer(exif(6), np.uint8)
    stored = np.ascontiguousarray(np.rot90(draw_arrow(points)))
    bgr = cv2.cvtColor(stored, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencodeWithMetadata(".png", bgr, [cv2.IMAGE_METADATA_EXIF], [block])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000.png").write_bytes(data.tobytes())
    (tmp_path / "a.json").write_text(json.dumps(coco(["000.png"], [points])))
    (sample,) = read_coco(tmp_path / "a.json", ARROW)
    np.testing.assert_array_equal(sample.load(), draw_arrow(points))


COCO_FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    r"it has no list 'annotations'": lambda v: v.pop("annotations"),
    r"images\[1\] has no 'file_name'": lambda v: v["images"][1].pop("file_name"),
    r"annotation 2: there is no picture gone\.png": lambda v: v["images"][2].update(
        file_name="gone.png"
    ),
    r"annotation 0: 5 is no name of a picture": lambda v: v["images"][0].update(file_name=5),
    r"annotation 3: there is no image 99 in the list": lambda v: v["annotations"][3].update(
        image_id=99
    ),
    r"annotation 1 has 2 keypoints, the markup arrow has 3": lambda v: v["annotations"][1].update(
        keypoints=[1, 1, 2, 2, 2, 2]
    ),
    r"annotation 1: keypoints must be numbers": lambda v: v["annotations"][1].update(
        keypoints=[1, "a", 2] * 3
    ),
    r"annotation 0: a keypoint is not a finite number": lambda v: v["annotations"][0].update(
        keypoints=[1, float("nan"), 2] * 3
    ),
    r"annotation 0: bbox must be four numbers": lambda v: v["annotations"][0].update(bbox=[1, 2]),
    r"annotation 0, point 'tip': .*lie off the picture": lambda v: v["annotations"][0].update(
        keypoints=[900, 901, 2, 905, 920, 2, 930, 909, 2]
    ),
    r"annotation 0, point 'tip': all landmarks lie within": lambda v: v["annotations"][0].update(
        keypoints=[50, 50, 2, 50.5, 50, 2, 50, 50.5, 2]
    ),
    r"categories\[0\]: 'keypoints' must be a list": lambda v: v["categories"][0].update(
        keypoints="tip"
    ),
    r"has nothing with labelled points of this markup": lambda v: v["annotations"].clear(),
}


@pytest.mark.parametrize("words", COCO_FAULTS)
def test_coco_files_that_cannot_be(words: str, tmp_path: Path) -> None:
    faces = arrows(4)
    values = coco(write_pictures(tmp_path, faces), faces)
    COCO_FAULTS[words](values)
    (tmp_path / "labels.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=rf"labels\.json.*{words}"):
        read_coco(tmp_path / "labels.json", ARROW)


def test_other_names_are_taken_in_their_order_and_other_numbers_refused(tmp_path: Path) -> None:
    faces = arrows(1)
    values = coco(write_pictures(tmp_path, faces), faces)
    values["categories"][0]["keypoints"] = ["a", "b", "c"]
    (tmp_path / "labels.json").write_text(json.dumps(values))
    np.testing.assert_allclose(read_coco(tmp_path / "labels.json", ARROW)[0].points, faces[0])
    with pytest.raises(InputError, match="has 3 keypoints, the markup wflw98 has 98"):
        read_coco(tmp_path / "labels.json", WFLW)


DLIB_FAULTS = {
    r"is not an XML file": ("<image ", "<image"),
    r"has no point 'nose'": ("name='tip'", "name='nose'"),
    r"has the part 'tip' twice": ("name='left foot'", "name='tip'"),
    r"box 0: 'x' of a part is 'a', not a number": ("' x='", "' x='a' z='"),
    r"'width' of a box is None, not a number": ("width=", "breadth="),
    r"there is no picture images/000\.jpg": ("000.png", "000.jpg"),
}


@pytest.mark.parametrize("words", DLIB_FAULTS)
def test_dlib_files_that_cannot_be(words: str, tmp_path: Path) -> None:
    faces = arrows(2)
    write_dlib_file(tmp_path / "labels.xml", write_pictures(tmp_path, faces), faces)
    text = (tmp_path / "labels.xml").read_text()
    old, new = DLIB_FAULTS[words]
    changed = text.replace(old, new, 1) if "XML" not in words else text.replace("</images>", "")
    (tmp_path / "labels.xml").write_text(changed)
    with pytest.raises(InputError, match=rf"labels\.xml.*{words}"):
        read_dlib(tmp_path / "labels.xml", ARROW)


def test_csv_files_that_cannot_be(tmp_path: Path) -> None:
    faces = arrows(2)
    file = tmp_path / "labels.csv"
    write_csv_file(file, write_pictures(tmp_path, faces), faces)
    text = file.read_text()
    first = text.splitlines()[1].split(",")
    cases = {
        r"has no column 'x_left foot', nor 1 others": text.replace("_left foot", "_left hand"),
        r"line 2: x_tip is 'far', not a number": text.replace(first[2], "far"),
        r"line 2: there is no picture": text.replace("000.png", "0.png"),
        r"line 2: with less than two labelled": text.replace(",".join(first[3:5]), ",", 1),
        r"has no column 'image'": "",
    }
    for words, changed in cases.items():
        file.write_text(changed)
        with pytest.raises(InputError, match=rf"labels\.csv.*{words}"):
            read_csv(file, ARROW)
    file.write_bytes(b"image\xff\xfe")
    with pytest.raises(InputError, match="is not a CSV file"):
        read_csv(file, ARROW)


def test_which_file_a_folder_means(tmp_path: Path) -> None:
    write_coco_folder(tmp_path / "one", 5)
    own = OwnPoints(ARROW, dev_share=0.4)
    every = read_dataset("coco", tmp_path / "one", "all", own=own)
    assert len(every) == 5
    split = {
        seed: {
            sample.image
            for sample in read_dataset(
                "coco", tmp_path / "one", "dev", own=OwnPoints(ARROW, dev_share=0.4, dev_seed=seed)
            )
        }
        for seed in range(6)
    }
    assert all(len(pictures) == 2 for pictures in split.values())
    assert len(set(map(frozenset, split.values()))) > 1
    (tmp_path / "one" / "b.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds 2 \.json files \(annotations/person.*name one"):
        read_dataset("coco", tmp_path / "one", "all", own=own)
    with pytest.raises(InputError, match=r"holds no \.xml file"):
        read_dataset("dlib", tmp_path / "one", "all", own=own)
    with pytest.raises(InputError, match="does not exist; --data must name"):
        read_dataset("csv", tmp_path / "none", "all", own=own)
    with pytest.raises(InputError, match="coco has no split 'test'"):
        read_dataset("coco", tmp_path / "one", "test", own=own)


@given(st.integers(2, 60), st.floats(0.02, 0.98), st.integers(0, 5))
def test_splits_keep_pictures_together(count: int, share: float, seed: int) -> None:
    points = arrows(1)[0]
    samples = [
        Sample(Path(f"{number // 2}.png"), points, tight_box(points), "x")
        for number in range(2 * count)
    ]
    training, dev = split_by_picture(samples, share, seed)
    sides = [{sample.image for sample in side} for side in (training, dev)]
    assert not sides[0] & sides[1]
    assert len(training) + len(dev) == 2 * count
    assert len(sides[1]) == min(max(round(share * count), 1), count - 1)
    again = split_by_picture(samples[::-1], share, seed)
    assert {sample.image for sample in again[1]} == sides[1]
    # Further pictures move none from the judged to the learned but at the border.
    more = [*samples, Sample(Path("new.png"), points, tight_box(points), "x")]
    assert len(sides[1] - {s.image for s in split_by_picture(more, share, seed)[1]}) <= 1


def test_splits_that_cannot_be() -> None:
    points = arrows(1)[0]
    one = [Sample(Path("a.png"), points, tight_box(points), "x")] * 3
    with pytest.raises(InputError, match="one picture cannot be split"):
        split_by_picture(one)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(InputError, match="--dev-share must be between"):
            split_by_picture(one, share)


def test_commands_about_a_network_split_as_its_run_did(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_coco_folder(one, 10)
    write_coco_folder(two, 10)
    faces = NetworkFaces("coco", [one, two], dev_share=0.3, dev_seed=4)
    own = OwnPoints(ARROW, 0.3, 4)
    judged = [sample.image for sample in faces.dev("arrows", ARROW)]
    assert judged == [sample.image for sample in read_dataset("coco", one, "dev", own=own)]
    assert len(judged) == 3
    learned = {sample.image for sample in faces.training("arrows", ARROW)}
    assert len(learned) == 2 * 7
    assert not learned & set(judged)
    assert judged != [s.image for s in NetworkFaces("coco", [one]).dev("arrows", ARROW)]
    with pytest.raises(InputError, match="--dataset is 'else'; choose one of wflw"):
        NetworkFaces("else", [one])


def test_what_a_run_learns_from_and_is_judged_by(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2), ("c", 3)):
        write_coco_folder(tmp_path / name, 10, seed)
    own, (a, b, c) = OwnPoints(ARROW), (tmp_path / name for name in "abc")
    training, dev = read_training_sets("coco", [a, b], [], own)
    assert (len(training), len(dev)) == (16, 4)
    assert {sample.image.parts[-3] for sample in dev} == {"a", "b"}
    training, dev = read_training_sets("coco", [a, b], [c], own)
    assert (len(training), len(dev)) == (20, 10)
    with pytest.raises(InputError, match="is in --data and in --dev"):
        read_training_sets("coco", [a, b], [b], own)
    with pytest.raises(InputError, match="--dev is for coco, dlib, csv"):
        read_training_sets("wflw", [a], [b], own)
    assert markup_of("coco", ARROW) is ARROW
    with pytest.raises(InputError, match="--markup FILE"):
        markup_of("coco")
    with pytest.raises(InputError, match="marked with wflw98, not with arrow"):
        markup_of("wflw", ARROW)
    with pytest.raises(InputError, match="unknown dataset 'aflw'"):
        markup_of("aflw")


def test_files_that_label_the_same_pictures(tmp_path: Path) -> None:
    """Each is split by itself, and nothing is learned from a picture that is judged by."""
    write_coco_folder(tmp_path / "all", 20)
    annotations = tmp_path / "all" / "annotations"
    whole = json.loads((annotations / "person_keypoints_default.json").read_text())
    few = {**whole, "images": whole["images"][::3]}
    kept = {image["id"] for image in few["images"]}
    few["annotations"] = [a for a in whole["annotations"] if a["image_id"] in kept]
    (annotations / "few.json").write_text(json.dumps(few))
    roots = [annotations / "person_keypoints_default.json", annotations / "few.json"]
    training, dev = read_training_sets("coco", roots, [], OwnPoints(ARROW))
    assert training
    assert not {s.image for s in training} & {s.image for s in dev}
    assert not any((s.image in {t.image for t in training}) for s in dev)
    again = NetworkFaces("coco", roots).training("arrows", ARROW)
    assert [s.image for s in again] == [s.image for s in training]


def test_commands_about_a_network_count_hidden_points_on_request(tmp_path: Path) -> None:
    write_coco_folder(tmp_path, 10)
    path = tmp_path / "annotations" / "person_keypoints_default.json"
    table = json.loads(path.read_text())
    for annotation in table["annotations"]:
        annotation["keypoints"][2::3] = [1] * len(NAMES)
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match="give --hidden-points"):
        NetworkFaces("coco", [path]).dev("arrows", ARROW)
    assert len(NetworkFaces("coco", [path], hidden=True).dev("arrows", ARROW)) == 2
