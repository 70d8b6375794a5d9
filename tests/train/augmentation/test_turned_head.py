"""Heads turned further: geometry against closed forms and a depth buffer, chance, the dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.decoder import decode
from model.shipped_markups import WFLW
from tests.support.face_files import STILL, read_faces, write_faces
from tests.support.measured_faces import rotation
from tracker.measures.generic_face import face_model
from train.augmentation.camera_walk import _moved, _sources, walk_around
from train.augmentation.head_surface import Surface, head_surface
from train.augmentation.turned_head import Turn, random_turn, turn_head, turned_crop
from train.data.label_groups import head_pose
from train.learning.crop_dataset import CropDataset

SIDE = 192
CENTRE = (SIDE - 1) / 2
GRAY = np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)


def seen(turned: NDArray[np.float64], size: float = 0.9) -> NDArray[np.float64]:
    """[98, 2] the generic face so rotated, from far away; `size` in pixels per mm."""
    flat = size * (face_model("wflw98").points @ turned.T)[:, :2]
    return np.asarray(flat - (flat.min(0) + flat.max(0)) / 2 + CENTRE)


def head(
    pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0, size: float = 0.9
) -> NDArray[np.float64]:
    return seen(rotation(pitch, yaw, roll), size)


def noise(side: int, width: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """[side, side, 3] noise blurred by `width` pixels."""
    image = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), width), dtype=np.uint8)


def angles(points: NDArray[np.float64]) -> tuple[float, float, float]:
    found = head_pose(points, "wflw98")
    assert found is not None
    return found[0].angles


def surface_of(points: NDArray[np.float64], near: int = 0) -> Surface:
    found = head_pose(points, "wflw98")
    assert found is not None
    return head_surface(points, "wflw98", *found, near=near)


def flat(slope: float, towards: float) -> Surface:
    """A board before the camera that leans back by `slope` in the direction `towards`."""
    grid = np.stack(np.meshgrid(*[np.linspace(-30, SIDE + 30, 12)] * 2), -1).reshape(-1, 2)
    along = (grid - CENTRE) @ [np.cos(towards), np.sin(towards)]
    return Surface(grid, slope * along, np.full(2, CENTRE), 1000.0, 0.0)


@given(st.floats(-0.5, 0.5), st.floats(0, 0.7), st.floats(-3.1, 3.1))
@settings(max_examples=25, deadline=None)
def test_a_board_keeps_its_shape_across_and_shrinks_along_the_walk(
    slope: float, angle: float, towards: float
) -> None:
    points = head(size=0.5)
    _, after = walk_around(GRAY, points, flat(slope, towards), angle, towards)
    axis = np.array([np.cos(towards), np.sin(towards)])
    across = np.array([-axis[1], axis[0]])
    np.testing.assert_allclose((after - points) @ across, 0, atol=1e-3)
    before, along = (points - CENTRE) @ axis, (after - CENTRE) @ axis
    middle = (before.min() + before.max()) / 2
    # The spline rounds a board's slope a little between its points.
    want = middle + (before - middle) * (np.cos(angle) - slope * np.sin(angle))
    np.testing.assert_allclose(along, want, atol=0.7)


@given(st.integers(0, 1000), st.floats(0.05, 0.8))
@settings(max_examples=25, deadline=None)
def test_what_hides_what_is_what_a_depth_buffer_says(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    count, middle = 60, 30.0
    # Hills, steep enough to hide things.
    depth = 6 * np.cumsum(rng.normal(0, 0.5, count)) * np.hanning(count)
    found = _sources(_moved(depth[None], middle, 1000.0, angle))[0]
    places = np.arange(count) - middle
    across = places * np.cos(angle) - depth * np.sin(angle)
    away = places * np.sin(angle) + depth * np.cos(angle)
    strict = 0
    for place in range(count):
        nearest, source = np.inf, None
        for i in range(count - 1):
            low, high = across[i], across[i + 1]
            share = (place - middle - low) / (high - low)
            if 0 <= share <= 1 and (z := away[i] + share * (away[i + 1] - away[i])) < nearest:
                nearest, source = z, i + share
        if source is None:
            continue
        # Where a hill ends or what is behind it begins, a pixel mixes the two.
        around = slice(max(int(source) - 1, 0), int(source) + 4)
        if (across[around] == np.maximum.accumulate(across)[around]).all():
            strict += 1
            assert found[place] == pytest.approx(source, abs=3)
            there = np.interp(found[place], np.arange(count), across)
            assert there == pytest.approx(place - middle, abs=0.01)
    assert strict > 3


# Landmarks in sight from either side: bridge and tip of the nose, corners of the near eye, mouth.
IN_SIGHT = {-1: [51, 52, 53, 54, 60, 64, 76], 1: [51, 52, 53, 54, 68, 72, 82]}


@pytest.mark.parametrize("yaw", [-30.0, -10.0, 0.0, 20.0])
@pytest.mark.parametrize("roll", [0.0, 25.0])
@pytest.mark.parametrize("way", [15.0, 30.0])
def test_a_turned_head_is_the_generic_head_turned(yaw: float, roll: float, way: float) -> None:
    points = head(yaw=yaw, roll=roll)
    surface = surface_of(points)
    # yaw > 0 is to the left of the picture; only further, so that all it needs is in sight.
    side = 1 if yaw > 0 else -1
    towards = surface.roll + (np.pi if side > 0 else 0)
    _, after = walk_around(GRAY, points, surface, np.deg2rad(way), towards)
    # The camera's walk is a turn of the head about the axis across it in the picture.
    axis = np.array([np.sin(towards), -np.cos(towards), 0.0]) * np.deg2rad(way)
    true = seen(np.asarray(cv2.Rodrigues(axis)[0]) @ rotation(0, yaw, roll))
    part = IN_SIGHT[side]
    off = (after - after[part].mean(0)) - (true - true[part].mean(0))
    # Pixels, of a head 130 wide; the spline blunts the nose.
    assert np.linalg.norm(off[part], axis=1).max() < 3
    assert angles(after)[1] == pytest.approx(angles(true)[1], abs=4)


def test_heads_nod_and_turn_by_the_degrees_asked_for() -> None:
    points = head()
    for side in (1, -1):
        _, after = turn_head(GRAY, points, "wflw98", Turn(side * 15, nod=True))
        assert angles(after)[0] - angles(points)[0] == pytest.approx(side * 15, abs=4)
        _, after = turn_head(GRAY, points, "wflw98", Turn(side * 30))
        assert angles(after)[1] == pytest.approx(side * 30, abs=6)


def test_the_picture_moves_with_the_landmarks() -> None:
    points = head(yaw=10)
    surface = surface_of(points)
    for landmark in (54, 60, 64, 76, 16):
        picture = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        spot = tuple(int(v) for v in np.rint(16 * points[landmark]))
        cv2.circle(picture, spot, 24, (255, 255, 255), -1, cv2.LINE_AA, 4)
        turned, after = walk_around(picture, points, surface, 0.5, np.pi)
        light = turned[..., 0].astype(float)
        y, x = np.mgrid[:SIDE, :SIDE]
        # Hidden spots leave no light; these are chosen in sight.
        spot_after = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
        # A dot on a slope is stretched to one side.
        np.testing.assert_allclose(spot_after, after[landmark], atol=0.8)


def test_hidden_landmarks_lie_where_the_face_ends() -> None:
    points = head(yaw=25)
    surface = surface_of(points)
    face = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    cv2.fillPoly(face, [np.rint(points[:33]).astype(np.int32)], (255, 255, 255))
    brow = np.rint(np.vstack([points[:1], points[33:38], points[42:47], points[32:33]]))
    cv2.fillPoly(face, [brow.astype(np.int32)], (255, 255, 255))
    turned, after = walk_around(face, points, surface, np.deg2rad(40), np.pi)
    # To the left of the picture: the far side are the first points of the contour.
    for x, y in after[2:12]:
        row = np.flatnonzero(turned[round(float(y)), :, 0] > 128)
        assert x == pytest.approx(row.min(), abs=2.5)


@given(st.floats(-40, 40), st.floats(0.1, 0.7), st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_a_mirrored_head_turns_mirrored(yaw: float, angle: float, towards: float) -> None:
    rng = np.random.default_rng(0)
    picture = noise(SIDE, 3, rng)
    points = head(yaw=yaw, roll=7)
    mirrored = (points * [-1, 1] + [SIDE - 1, 0])[WFLW.flip]
    first, second = surface_of(points, 1), surface_of(mirrored, -1)
    one, a = walk_around(picture, points, first, angle, towards)
    flipped = np.ascontiguousarray(picture[:, ::-1])
    other, b = walk_around(flipped, mirrored, second, angle, np.pi - towards)
    off = np.linalg.norm((b * [-1, 1] + [SIDE - 1, 0])[WFLW.flip] - a, axis=1)
    # Where the head ends, a row more or less decides.
    assert np.quantile(off, 0.9) < 0.2
    assert off.max() < 3
    away = np.abs(other[:, ::-1].astype(int) - one)
    assert np.mean(away > 8) < 0.01


def test_chance_turns_heads_further_to_both_sides_and_nods_some() -> None:
    rng = np.random.default_rng(1)
    turns = [random_turn(head(), "wflw98", rng) for _ in range(200)]
    ways = {
        nod: np.array([t.degrees for t in turns if t and t.nod is nod]) for nod in (True, False)
    }
    assert 20 < len(ways[True]) < 60 and len(ways[True]) + len(ways[False]) == 200
    for nod, low, high in ((True, 5, 20), (False, 10, 45)):
        size = np.abs(ways[nod])
        assert low <= size.min() < low + 3 and high - 3 < size.max() <= high
        assert 0.3 < (ways[nod] > 0).mean() < 0.7


@pytest.mark.parametrize("yaw", [-25.0, 25.0, 50.0, -62.0])
def test_a_head_that_is_turned_is_turned_on_and_not_too_far(yaw: float) -> None:
    rng = np.random.default_rng(1)
    points = head(yaw=yaw)
    now = angles(points)[1]
    turns = [random_turn(points, "wflw98", rng) for _ in range(60)]
    found = [t.degrees for t in turns if t and not t.nod]
    if abs(now) > 65:
        assert not found
        return
    assert (np.sign(found) == np.sign(yaw)).all()
    assert max(np.abs(np.array(found) + now)) <= 75 + 1e-9
    assert max(np.abs(np.array(found) + now)) > 66


def test_chance_needs_a_head_and_repeats_itself() -> None:
    assert random_turn(np.full((98, 2), 50.0), "wflw98", np.random.default_rng(0)) is None
    first, second = (random_turn(head(), "wflw98", np.random.default_rng(7)) for _ in range(2))
    assert first == second and first is not None


def test_the_extent_of_the_points_keeps_its_middle() -> None:
    points = head(yaw=15)
    for degrees in (10, 30, 45):
        _, after = turn_head(GRAY, points, "wflw98", Turn(degrees))
        np.testing.assert_allclose((after.min(0) + after.max(0)) / 2, CENTRE, atol=2)


def test_points_that_are_no_head_stay() -> None:
    points = np.full((98, 2), 50.0)
    picture, after = turn_head(GRAY, points, "wflw98", Turn(20))
    assert picture is GRAY and after is points


@pytest.mark.parametrize("markup", ["ibug68", "cofw29"])
def test_other_markups_turn_as_well(markup: str) -> None:
    points = face_model(markup).points[:, :2] * 0.9
    points = points - (points.min(0) + points.max(0)) / 2 + CENTRE
    picture, after = turn_head(GRAY, points, markup, Turn(30))
    assert picture is not GRAY and after.shape == points.shape
    found = head_pose(after, markup)
    assert found is not None
    assert found[0].angles[1] == pytest.approx(30, abs=8)


def test_a_turned_crop_shows_what_lay_beside_it() -> None:
    """Not the smeared border of the crop: the picture around it is looked at."""
    rng = np.random.default_rng(4)
    image = noise(400, 2, rng)
    matrix = np.array([[0.7, 0, -76.0], [0, 0.7, -76.0]])
    points = head(size=0.5) - CENTRE + 63.5
    crop, after = turned_crop(image, matrix, 128, points, markup="wflw98", turn=Turn(-30))
    assert crop.shape == (128, 128, 3)
    assert np.abs(after - points).max() > 3
    rows = np.abs(np.diff(crop[:, :6].astype(int), axis=1)).mean(axis=(0, 2))
    assert rows.min() > 1
    again, same = turned_crop(image, matrix, 128, points, markup="wflw98", turn=Turn(-30))
    np.testing.assert_array_equal(again, crop)
    np.testing.assert_array_equal(same, after)


def test_the_dataset_serves_turned_heads_with_their_landmarks(tmp_path: Path) -> None:
    samples, _ = read_faces(write_faces(tmp_path, train=3, test=1, side=200))

    def serve(p_turn: float) -> CropDataset:
        data = CropDataset(
            samples, WFLW, size=128, augment=replace(STILL, p_turn=p_turn), seed=0,
            weights=np.ones(len(samples), np.float32),
        )  # fmt: skip
        data.plan(0, [0, 1, 2])
        return data

    for place in range(3):
        plain, turned = serve(0.0)[place], serve(1.0)[place]
        before, after = (decode(item["landmarks"].numpy())[0] for item in (plain, turned))
        assert not torch.equal(plain["crop"], turned["crop"])
        assert 2 < np.linalg.norm(after - before, axis=1).max() < 60
