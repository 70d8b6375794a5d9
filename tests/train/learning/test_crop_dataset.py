"""Training items: targets that fit the crop, and chance that depends on the place alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.crop import crop_image, crop_matrix, region_from_box, to_crop
from model.decoder import decode
from model.errors import InputError
from model.heatmap import crop_to_heatmap, encode_boundaries, heatmap_to_crop
from model.shipped_markups import WFLW
from tests.support.face_files import RECIPE, STILL, TINY, read_faces, write_faces
from tracker.measures.openings import eye_openings
from train.data.picture_cache import PictureCache
from train.data.sample import Sample
from train.learning.crop_dataset import CropDataset, Item
from train.learning.feed import Feed
from train.learning.processes import World
from train.recipes.augment_config import AugmentConfig
from train.recipes.run_config import RunConfig

SIZE = 128
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return read_faces(write_faces(tmp_path_factory.mktemp("faces")))[0]


def dataset(samples: list[Sample], augment: AugmentConfig, seed: int = 5) -> CropDataset:
    weights = np.linspace(0.1, 2.4, len(samples)).astype(np.float32)
    return CropDataset(samples, WFLW, size=SIZE, augment=augment, seed=seed, weights=weights)


def assert_same(first: Item, second: Item) -> None:
    assert first.keys() == second.keys()
    for key in first:
        torch.testing.assert_close(first[key], second[key], rtol=0, atol=0)


def test_an_item_without_augmentation(samples: list[Sample]) -> None:
    data = dataset(samples, STILL)
    data.plan(0, [3])
    item, sample = data[0], samples[3]
    region = region_from_box(sample.box)
    np.testing.assert_array_equal(item["crop"], crop_image(sample.load(), region, SIZE))
    points = to_crop(sample.points, crop_matrix(region, SIZE))
    found, _ = decode(item["landmarks"].numpy())
    np.testing.assert_allclose(found, points, atol=0.02)
    side = SIZE // 4
    cells = crop_to_heatmap(points)
    np.testing.assert_array_equal(item["boundaries"], encode_boundaries(cells, WFLW.curves, side))
    assert item["crop"].dtype == torch.uint8
    assert item["landmarks"].shape == (98, side, side)
    assert item["boundaries"].shape == (15, side, side)
    assert item["attributes"].tolist() == list(sample.attributes)
    assert item["weight"] == np.float32(np.linspace(0.1, 2.4, 24)[3])


def test_landmarks_that_nobody_labelled_have_empty_maps(samples: list[Sample]) -> None:
    first, last = WFLW.curves[0][3], 97  # on the contour; a pupil, which is on no curve
    points = samples[3].points.copy()
    points[[first, last]] = np.nan
    every = replace(AugmentConfig(), flip=1.0, p_turn=1, p_blink=1, p_cover=1, p_light=1, p_paint=1)
    for augment in (STILL, every):
        data = dataset([replace(samples[3], points=points)], augment)
        data.plan(0, [0])
        item = data[0]
        order = WFLW.flip if augment.flip else np.arange(98)
        missing = [int(np.flatnonzero(order == point)[0]) for point in (first, last)]
        assert (~item["known"]).nonzero().flatten().tolist() == sorted(missing)
        assert (~item["known_boundaries"]).nonzero().flatten().tolist() == [0]
        for maps, known in (("landmarks", "known"), ("boundaries", "known_boundaries")):
            assert (item[maps].flatten(1).max(dim=1).values > 0).equal(item[known])
            assert item[maps].isfinite().all()
    whole = dataset([samples[3]], STILL)
    whole.plan(0, [0])
    assert whole[0]["known"].all()
    assert whole[0]["known_boundaries"].all()


def test_a_mirrored_item_swaps_its_landmarks(samples: list[Sample]) -> None:
    # Turned and moved: the drawn faces themselves are symmetric.
    turned = replace(STILL, rotation=30.0, translation=25.0)
    plain, mirrored = (dataset(samples, replace(turned, flip=p)) for p in (0.0, 1.0))
    for data in (plain, mirrored):
        data.plan(0, range(4))
    for place in range(4):
        first, second = plain[place], mirrored[place]
        expected, _ = decode(first["landmarks"].numpy())
        expected = (SIZE - 1 - expected[:, 0], expected[:, 1])
        found, _ = decode(second["landmarks"].numpy())
        np.testing.assert_allclose(found, np.column_stack(expected)[WFLW.flip], atol=0.05)
        np.testing.assert_allclose(second["crop"], first["crop"].flip(1), atol=3)
        # The left brow's map now is the mirrored map of the right one.
        boundaries = first["boundaries"].flip(2)[list(WFLW.curve_flip)]
        difference = (second["boundaries"] - boundaries).abs()
        assert difference.mean() < 0.02
        # Lines drawn from the other end differ by a shade; swapped brows would differ everywhere.
        assert difference.mean() < 0.2 * (second["boundaries"] - first["boundaries"]).abs().mean()


def test_landmarks_lie_on_the_drawn_face_under_every_augmentation(samples: list[Sample]) -> None:
    geometry = replace(STILL, rotation=60, scale=0.15, translation=25, flip=0.5)
    data = dataset(samples, geometry)
    data.plan(0, list(range(24)) * 2)
    on_line = []
    for place in range(len(data)):
        item = data[place]
        found, peaks = decode(item["landmarks"].numpy())
        visible = ((found > 2) & (found < SIZE - 3)).all(axis=1) & (peaks > 0.7)
        cells = np.rint(found[visible]).astype(int)
        # Lines and pupils are drawn nearly black on bright skin.
        on_line.append(item["crop"].numpy()[cells[:, 1], cells[:, 0]].mean(axis=1) < 125)
    assert np.concatenate(on_line).mean() > 0.97


def test_items_depend_on_seed_epoch_and_place_only(samples: list[Sample]) -> None:
    data, order = dataset(samples, AugmentConfig()), [4, 9, 4, 2]
    data.plan(3, order)
    items = [data[place] for place in range(4)]
    # In another order, from a new object, and continued in the middle.
    other = dataset(samples, AugmentConfig())
    other.plan(3, order)
    assert_same(other[3], items[3])
    assert_same(other[0], items[0])
    other.plan(3, order[2:], first=2)
    assert len(other) == 2
    assert_same(other[0], items[2])
    # The same face at two places of an epoch is seen in two ways.
    assert (items[0]["crop"] != items[2]["crop"]).any()
    for changed in (dataset(samples, AugmentConfig(), seed=6), data):
        changed.plan(3 if changed is not data else 4, order)
        assert (changed[0]["crop"] != items[0]["crop"]).any()


def feed(samples: list[Sample], tmp_path: Path, workers: int, world: World) -> Feed:
    recipe = replace(RECIPE, augment=AugmentConfig())
    config = RunConfig("tiny", TINY, recipe, tmp_path, epochs=2, max_minutes=None, workers=workers)
    return Feed(config, samples, world)


def test_batches_are_the_same_with_and_without_loading_processes(
    samples: list[Sample], tmp_path: Path
) -> None:
    stage, world = RECIPE.stages[0], World(0, 1, CPU)
    plain, loaded = (list(feed(samples, tmp_path, n, world).batches(stage, 1, 0)) for n in (0, 2))
    assert len(plain) == len(loaded) == 6
    for first, second in zip(plain, loaded, strict=True):
        assert_same(first, second)
    # A resumed epoch serves the rest of the same batches.
    rest = list(feed(samples, tmp_path, 0, world).batches(stage, 1, 4))
    for first, second in zip(plain[4:], rest, strict=True):
        assert_same(first, second)


def test_processes_share_an_epoch_without_overlap(samples: list[Sample], tmp_path: Path) -> None:
    stage = RECIPE.stages[0]
    ranks = [feed(samples, tmp_path, 0, World(rank, 2, CPU)) for rank in (0, 1)]
    assert [part.length(stage, 0) for part in ranks] == [3, 3]
    crops = [batch["crop"] for part in ranks for batch in part.batches(stage, 0, 0)]
    weights = [batch["weight"] for part in ranks for batch in part.batches(stage, 0, 0)]
    assert [len(crop) for crop in crops] == [4] * 6
    assert len(torch.cat(weights)) == 24


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_is_one_sentence(tmp_path: Path, workers: int) -> None:
    root = write_faces(tmp_path / "data", train=8, test=1)
    for path in (root / "WFLW_images" / "drawn").glob("train_*"):
        path.write_text("no picture")
    batches = feed(read_faces(root)[0], tmp_path, workers, World(0, 1, CPU)).batches(
        RECIPE.stages[0], 0, 0
    )
    with pytest.raises(InputError) as caught:
        list(batches)
    text = str(caught.value)
    assert text.startswith(str(root))
    assert text.endswith("a kind of picture that cannot be read here: convert it to PNG or JPEG.")
    assert "\n" not in text


def test_too_few_faces_for_a_batch(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 training faces do not fill one batch of 4: give more"):
        feed(samples[:3], tmp_path, 0, World(0, 1, CPU)).length(RECIPE.stages[0], 0)


def test_pictures_are_kept_up_to_the_limit(samples: list[Sample], tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    reads = []
    for number in range(3):
        cv2.imwrite(str(path), np.full((10, 10, 3), number, dtype=np.uint8))
        reads.append(replace(samples[0], image=path))
        if number == 0:
            cache = PictureCache(limit=650)  # two pictures of 300 bytes
        cache(reads[-1])
    cv2.imwrite(str(path), np.full((10, 10, 3), 99, dtype=np.uint8))
    assert [int(cache(sample)[0, 0, 0]) for sample in reads] == [0, 1, 99]
    with pytest.raises(ValueError, match="read-only"):
        cache(reads[0])[0, 0, 0] = 1


def test_heatmap_pixels_are_where_the_docs_say() -> None:
    np.testing.assert_allclose(heatmap_to_crop(np.array([[0.0, 31.0]])), [[1.5, 125.5]])


def test_blinking_items_keep_labels_on_closed_eyes(samples: list[Sample]) -> None:
    # Flipped half of the time: a mirrored face's left eye is the picture's left eye.
    augment = replace(STILL, flip=0.5, p_blink=1.0)
    still, blinking = dataset(samples, replace(augment, p_blink=0.0)), dataset(samples, augment)
    for data in (still, blinking):
        data.plan(0, range(24))
    closed = []
    for place in range(24):
        first, second = still[place], blinking[place]
        before, after = (decode(item["landmarks"].numpy())[0] for item in (first, second))
        eyes = np.r_[60:76, 96, 97]
        rest = np.setdiff1d(np.arange(98), eyes)
        # Low brows give way a little.
        np.testing.assert_allclose(after[rest], before[rest], atol=1)
        assert np.abs(after - before).max() > 0.5
        assert not torch.equal(first["crop"], second["crop"])
        closed += [o for o in eye_openings(after, "wflw98") if o < 0.12]
    assert len(closed) > 15


def test_a_face_without_labels_takes_the_same_chances(samples: list[Sample]) -> None:
    augment = replace(AugmentConfig(), p_blink=0.0)
    plain = dataset(samples, augment)
    rare = dataset(samples, replace(augment, p_blink=1e-12))
    rare.labelled = np.zeros(len(samples), dtype=bool)
    blind = dataset(samples, replace(augment, p_blink=1.0))
    blind.labelled = rare.labelled
    for data in (plain, rare, blind):
        data.plan(0, [5])
    # Nothing to warp without labels; one number is drawn all the same.
    torch.testing.assert_close(rare[0]["crop"], blind[0]["crop"], rtol=0, atol=0)
    assert not torch.equal(plain[0]["crop"], blind[0]["crop"])


def test_what_covers_a_face_needs_its_points(samples: list[Sample]) -> None:
    """A face of which only the box is known is neither covered nor painted, and takes chances."""
    hard = replace(STILL, p_cover=1.0, p_paint=1.0)
    unknown = replace(samples[5], points=np.full_like(samples[5].points, np.nan))
    found = []
    for face, augment in ((samples[5], hard), (unknown, hard), (unknown, STILL)):
        data = dataset([face], augment)
        data.labelled = np.zeros(1, dtype=bool)
        data.plan(0, [0])
        found.append(data[0]["crop"])
    assert not torch.equal(found[0], found[1])
    torch.testing.assert_close(found[1], found[2], rtol=0, atol=0)
