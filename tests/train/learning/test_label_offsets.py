"""Offsets of a source's labels are taken out before anything is cut or mirrored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import InputError
from tests.support.face_files import RECIPE, STILL, TINY, read_faces, write_faces
from train.data.sample import Sample
from train.learning.feed import Feed, without_offsets
from train.learning.processes import World
from train.recipes.recipe import Recipe, Source
from train.recipes.run_config import RunConfig


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return read_faces(write_faces(tmp_path_factory.mktemp("labels")))[0]


def test_every_source_has_its_own_offset(samples: list[Sample]) -> None:
    first, second, third = samples[:3]
    first = replace(first, source="300w/afw")
    second = replace(second, source="ytf")
    boxed = replace(third, source="300w/afw", points=np.full((98, 2), np.nan))
    recipe = Recipe(sources={"300w": Source(offset=(0.02, -0.01))})
    moved, same, unknown = without_offsets([first, second, boxed], recipe)
    corners = np.linalg.norm(first.points[72] - first.points[60])
    expected = first.points - corners * np.array([0.02, -0.01])
    np.testing.assert_allclose(moved.points, expected)
    np.testing.assert_array_equal(moved.box, first.box)
    assert same is second
    assert unknown is boxed


def test_an_offset_of_what_has_no_size_is_refused(samples: list[Sample]) -> None:
    points = samples[0].points.copy()
    points[60] = np.nan  # a corner of an eye, by whose distance an offset counts
    lame = replace(samples[0], source="300w/afw", points=points)
    recipe = Recipe(sources={"300w": Source(offset=(0.02, 0.0))})
    with pytest.raises(InputError, match="give its source no offset"):
        without_offsets([lame], recipe)
    assert without_offsets([lame], Recipe())[0] is lame


def test_targets_are_those_of_the_corrected_labels(samples: list[Sample], tmp_path: Path) -> None:
    """A run on labels that are off equals one on right labels, once it is told by how much."""
    offset = np.array([0.03, -0.02])
    off = [
        replace(s, points=s.points + offset * np.linalg.norm(s.points[72] - s.points[60]))
        for s in samples
    ]
    recipe = replace(RECIPE, augment=replace(STILL, flip=0.5))
    told = replace(recipe, sources={"": Source(offset=tuple(offset))})

    def batch(faces: list[Sample], by: Recipe) -> dict[str, np.ndarray]:
        config = RunConfig(
            name="tiny", network=TINY, recipe=by, out=tmp_path, epochs=1, max_minutes=None
        )
        feed = Feed(config, faces, World(0, 1, torch.device("cpu")))
        return {k: v.numpy() for k, v in next(feed.batches(by.stages[0], 0, 0)).items()}

    right, corrected, wrong = batch(samples, recipe), batch(off, told), batch(off, recipe)
    np.testing.assert_allclose(corrected["landmarks"], right["landmarks"], atol=1e-5)
    np.testing.assert_array_equal(corrected["crop"], right["crop"])
    assert np.abs(wrong["landmarks"] - right["landmarks"]).max() > 0.05


@pytest.mark.parametrize("offset", [(0.1,), (0.1, 0.1, 0.1), (float("nan"), 0.0), (2.0, 0.0)])
def test_offsets_that_are_none(offset: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="'offset' must be two numbers, x and y"):
        Source(offset=offset)
