"""What users do with a file of each kind, and what must hold where it is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.fuzz import seeds
from tests.fuzz.mutations import (
    Mutate,
    damaged,
    damaged_mat,
    damaged_onnx,
    damaged_png,
    damaged_safetensors,
    damaged_text,
)

# A damaged header may promise frames for years.
_FRAMES = 200


class Kind:
    """A kind of file.

    Args:
        make: good files, in a folder for the making: (suffix, bytes).
        mutate: how they are damaged.
        read: reads the file; raises InputError where it cannot be read, anything else is a fault.
        home: where in the folder of a worker the file lies.
        load: imports what reading needs, once for all workers.
    """

    def __init__(
        self,
        make: Callable[[Path], list[bytes]],
        mutate: Mutate,
        read: Callable[[Path], object],
        home: str,
        load: Callable[[], object] = lambda: None,
    ) -> None:
        self.make, self.mutate, self.read, self.home, self.load = make, mutate, read, home, load


def _read_frames(path: Path) -> None:
    from tracker.sources.open_source import open_source

    with open_source(path) as source:
        info, last = source.info, -math.inf
        for count, frame in enumerate(source):
            assert frame.number == count
            assert frame.timestamp > last
            assert frame.image.shape == (info.height, info.width, 3)
            assert frame.image.dtype == np.uint8
            last = frame.timestamp
            if count == _FRAMES:
                break


def _read_picture(path: Path) -> None:
    from model.errors import InputError
    from train.data.sample import read_image

    try:
        image = read_image(path)
    except InputError:
        pass
    else:
        assert image.ndim == 3
        assert image.dtype == np.uint8
    _read_frames(path)


def _read_onnx(path: Path) -> None:
    from model.errors import InputError
    from tracker.engines.create import create_engine

    refused: InputError | None = None
    for name in ("onnxruntime", "openvino"):
        try:
            engine = create_engine(name, str(path), 1)
        except InputError as error:
            refused = error
            continue
        size = engine.info.input_size
        heatmaps = engine(np.zeros((1, size, size, 3), np.uint8))
        assert heatmaps.shape[2:] == (size // 4, size // 4)
        engine.close()
    if refused is not None:
        raise refused


def _read_safetensors(path: Path) -> None:
    from tracker.engines.create import create_engine

    engine = create_engine("torch", str(path), 1, "f32")
    if engine.info.input_size <= 256:
        engine(np.zeros((1, engine.info.input_size, engine.info.input_size, 3), np.uint8))
    engine.close()


def _read_checkpoint(path: Path) -> None:
    from train.learning.checkpoint import load_checkpoint

    load_checkpoint(path, {"seed": 3})


def _read_faces(name: str, split: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from train.data.datasets import read_dataset

        root = next(parent for parent in path.parents if parent.name == "data")
        for sample in read_dataset(name, root, split):
            assert np.isfinite(sample.box).all()
            assert np.isfinite(sample.points).all() or not sample.has_points
            assert sample.load().ndim == 3

    return read


def _read_own(name: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from tests.support.own_files import arrow_markup
        from train.data.datasets import OwnPoints, read_dataset

        for sample in read_dataset(name, path, "all", own=OwnPoints(arrow_markup())):
            assert np.isfinite(sample.box).all()
            assert np.isfinite(sample.points).any()
            assert sample.load().ndim == 3

    return read


def _read_markup(path: Path) -> None:
    from model.markup_file import markup_from_dict, markup_to_dict, read_markup

    markup = read_markup(path)
    assert markup_from_dict(markup_to_dict(markup), "again") == markup


def _read_detector(path: Path) -> None:
    from tracker.detection.box_detector import BoxDetector

    for box, score in BoxDetector(path, 0.1, 1)(np.full((48, 64, 3), 200, np.uint8)):
        assert np.isfinite(box).all()
        assert math.isfinite(score)


def _read_recipe(path: Path) -> None:
    from model.errors import InputError
    from train.recipes.recipe import Recipe, load_recipe
    from train.trials.recipe_changes import load_changes

    try:
        for change in load_changes(str(path)):
            change.apply(Recipe())
    except InputError:
        recipe = load_recipe(str(path))
        assert math.isfinite(recipe.learning_rate)
        assert 0 <= recipe.augment.flip <= 1


def _tracker() -> None:
    import cv2

    cv2.setNumThreads(1)


def _torch() -> None:
    import torch

    torch.set_num_threads(1)


KINDS = {
    "video": Kind(seeds.videos, damaged, _read_frames, "a.mp4", _tracker),
    "picture": Kind(seeds.pictures, damaged_png, _read_picture, "a.png", _tracker),
    "onnx": Kind(seeds.networks, damaged_onnx, _read_onnx, "a.onnx"),
    "safetensors": Kind(
        seeds.weights, damaged_safetensors, _read_safetensors, "a.safetensors", _torch
    ),
    "checkpoint": Kind(seeds.checkpoints, damaged, _read_checkpoint, "checkpoint.pt", _torch),
    "pts": Kind(
        seeds.pts_files, damaged_text, _read_faces("300w", "challenge"), seeds.PTS, _tracker
    ),
    "wflw": Kind(
        seeds.wflw_lists, damaged_text, _read_faces("wflw", "train"), seeds.LIST, _tracker
    ),
    "mat": Kind(seeds.mat_files, damaged_mat, _read_faces("cofw", "test"), seeds.MAT, _tracker),
    "coco": Kind(seeds.coco_files, damaged_text, _read_own("coco"), "own/a.json", _tracker),
    "dlib": Kind(seeds.dlib_files, damaged_text, _read_own("dlib"), "own/a.xml", _tracker),
    "csv": Kind(seeds.csv_files, damaged_text, _read_own("csv"), "own/a.csv", _tracker),
    "markup": Kind(seeds.markups, damaged_text, _read_markup, "a.yaml"),
    "detector": Kind(seeds.detectors, damaged_onnx, _read_detector, "a.onnx"),
    "yaml": Kind(seeds.recipes, damaged_text, _read_recipe, "a.yaml", _tracker),
}
