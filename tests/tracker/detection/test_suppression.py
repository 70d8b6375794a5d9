import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tracker.detection.suppression import OVERLAP, merge_weighted, nested, overlaps

# Whole numbers: areas can be counted in cells.
BOXES = st.lists(
    st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 9)] * 2), min_size=1, max_size=12
)


def corners(boxes: list[tuple[int, int, int, int]]) -> NDArray[np.float64]:
    return np.array([(x, y, x + width, y + height) for x, y, width, height in boxes], float)


def cells(box: NDArray[np.float64]) -> set[tuple[int, int]]:
    x0, y0, x1, y1 = box.astype(int)
    return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}


@given(BOXES)
def test_overlaps_count_cells(boxes: list[tuple[int, int, int, int]]) -> None:
    all_boxes = corners(boxes)
    first = cells(all_boxes[0])
    for other, shared, inside in zip(
        all_boxes, overlaps(all_boxes[0], all_boxes), nested(all_boxes[0], all_boxes), strict=True
    ):
        both = first & cells(other)
        assert shared == pytest.approx(len(both) / len(first | cells(other)))
        assert inside == pytest.approx(len(both) / min(len(first), len(cells(other))))


def test_boxes_without_area_overlap_nothing() -> None:
    point = np.array([3.0, 3, 3, 3])
    assert overlaps(point, point[None]) == [0]
    assert nested(point, np.array([[0.0, 0, 9, 9]])) == [0]
    (face,) = merge_weighted(point[None], np.zeros((1, 6, 2)), np.array([0.9]))
    np.testing.assert_array_equal(face[0], point)


@given(BOXES, st.randoms())
def test_weighted_merging_is_mediapipes(boxes: list[tuple[int, int, int, int]], random) -> None:
    """Against a plain reading of its calculator: lists, one candidate after the other."""
    all_boxes = corners(boxes)
    scores = np.array([random.randint(1, 10**9) / 1e9 for _ in boxes])
    points = np.stack([all_boxes[:, :2], all_boxes[:, 2:]], axis=1)
    expected = []
    remaining = sorted(range(len(boxes)), key=lambda i: -scores[i])
    while remaining:
        best, same, others = remaining[0], [], []
        for i in remaining:
            both = cells(all_boxes[best]) & cells(all_boxes[i])
            union = cells(all_boxes[best]) | cells(all_boxes[i])
            (same if len(both) / len(union) > OVERLAP else others).append(i)
        total = sum(scores[i] for i in same)
        expected.append((sum(scores[i] * all_boxes[i] for i in same) / total, scores[best]))
        remaining = others
    found = merge_weighted(all_boxes, points, scores)
    assert len(found) == len(expected)
    for (box, marks, score), (true, true_score) in zip(found, expected, strict=True):
        np.testing.assert_allclose(box, true)
        np.testing.assert_allclose(marks.ravel(), true)
        assert score == true_score
