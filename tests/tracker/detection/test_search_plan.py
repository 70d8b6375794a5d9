from itertools import pairwise
from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.detection.search_plan import tile_sides, tiles, turned_views


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_tiles_cover_the_picture(width: int, height: int) -> None:
    for side in tile_sides(width, height):
        views = tiles(width, height, side)
        # Separable: rows of columns.
        for middles, length in (
            (sorted({view.x for view in views}), width),
            (sorted({view.y for view in views}), height),
        ):
            edges = [(x - side / 2, x + side / 2) for x in middles]
            assert edges[0][0] <= -0.5
            assert edges[-1][1] >= length - 0.5
            for (_, end), (begin, _) in pairwise(edges):
                assert end - begin >= side / 6 - 1e-6
            if length > side:
                # And no tile looks at what is outside.
                assert edges[0][0] == pytest.approx(-0.5)
                assert edges[-1][1] == pytest.approx(length - 0.5)
        assert len(views) == len({(view.x, view.y) for view in views})
        assert {(view.size, view.angle) for view in views} == {(side, 0)}


def test_sides_of_tiles() -> None:
    assert tile_sides(320, 240) == []
    assert tile_sides(640, 480) == [256]
    assert tile_sides(480, 640) == [256]
    assert tile_sides(3840, 2160) == [2048, 1024, 512, 256]
    # The time that a picture takes is bounded.
    assert tile_sides(7680, 4320) == [4096, 2048, 1024, 512]
    assert tile_sides(30000, 30000) == [16384, 8192, 4096]


def test_turns() -> None:
    views = turned_views(np.zeros((48, 64, 3), dtype=np.uint8))
    assert [view.angle for view in views] == [pi, pi / 2, -pi / 2]
    assert {(view.x, view.y, view.size) for view in views} == {(31.5, 23.5, 64)}
