"""Who is who: crossings, occlusions, absences and cuts, with the shipped network."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.two_faces import HEIGHT, WIDTH, Place, background, compose, who_is_where
from tracker import Tracker, TrackerOptions

FPS = 15  # slower than most cameras: larger steps between frames
ROOM = background()
BOARD = np.where(np.arange(HEIGHT)[:, None, None] % 24 < 12, 60, 110) * np.ones(
    (1, WIDTH, 3), dtype=np.uint8
)
Heads = list[tuple[int, Place, float]]


def run(
    heads_at: Callable[[float], Heads],
    seconds: float,
    scene: Callable[[float], NDArray[np.uint8]] = lambda _: ROOM,
    cover: Callable[[float], slice] = lambda _: slice(0),
    **options: object,
) -> Iterator[tuple[float, Heads, dict[int, int]]]:
    """Time, who is there, and who the tracker says is there.

    `cover` are the columns of a striped board in front of everybody, as high as two heads.
    """
    with Tracker(options=TrackerOptions(threads=1, **options)) as tracker:  # type: ignore[arg-type]
        for i in range(round(seconds * FPS)):
            time = i / FPS
            heads = heads_at(time)
            frame = compose(scene(time), heads)
            frame[90:270, cover(time)] = BOARD[90:270, cover(time)]
            faces = tracker(frame, time)
            yield time, heads, who_is_where(faces, heads) if faces else {}


def identities(results: list[tuple[float, Heads, dict[int, int]]]) -> dict[int, set[int]]:
    """Person -> the ids that they were given."""
    given: dict[int, set[int]] = {}
    for _, _, seen in results:
        for number, who in seen.items():
            given.setdefault(who, set()).add(number)
    return given


@pytest.mark.parametrize("front", [0, 1])
def test_two_faces_that_cross_keep_their_ids(front: int) -> None:
    """One walks past behind the other and is wholly hidden for a moment."""

    def heads_at(time: float) -> Heads:
        way = 150 + 340 * np.clip((time - 0.4) / 1.4, 0, 1)
        heads: Heads = [(0, (way, 180.0), 1.0), (1, (640 - way, 180.0), 1.1)]
        return heads if front == 1 else heads[::-1]

    results = list(run(heads_at, 2.6, max_faces=2))
    given = identities(results)
    assert sorted(given) == [0, 1]
    assert all(len(ids) == 1 for ids in given.values()), given
    # Both are back within half a second of being side by side again.
    assert all(len(seen) == 2 for time, _, seen in results if time > 2.1)


def test_a_face_hidden_for_a_second_gets_its_id_back() -> None:
    def heads_at(time: float) -> Heads:
        shown: Heads = [(0, (180.0, 180.0), 1.0)] if not 0.5 <= time < 1.5 else []
        return [*shown, (1, (450.0, 180.0), 1.0)]

    results = list(run(heads_at, 2.2, max_faces=2))
    assert all(len(ids) == 1 for ids in identities(results).values())
    assert all(len(seen) == 1 for time, _, seen in results if 0.6 < time < 1.45)
    assert all(len(seen) == 2 for time, _, seen in results if time > 2.0)


@pytest.mark.parametrize("max_faces", [1, 2])
def test_a_board_slid_over_a_face_for_a_second(max_faces: int) -> None:
    """Covered bit by bit, wholly for a second, and uncovered: lost in between, the id kept."""

    def cover(time: float) -> slice:
        # Over the head (138 to 262) in 0.2 s, there for a second, and on.
        left = -260 + 360 * np.clip((time - 0.4) / 0.2, 0, 1)
        left += 360 * np.clip((time - 1.6) / 0.2, 0, None)
        return slice(max(round(left), 0), max(round(left) + 200, 0))

    heads: Heads = [(0, (200.0, 180.0), 1.0)]
    results = list(run(lambda _: heads, 2.4, cover=cover, max_faces=max_faces))
    assert identities(results) == {0: {0}}
    assert all(not seen for time, _, seen in results if 0.7 < time < 1.6)
    assert all(seen for time, _, seen in results if time < 0.4 or time > 2.1)


def test_walking_out_of_the_picture_and_in_again() -> None:
    def heads_at(time: float) -> Heads:
        away = 1 - abs(float(np.clip((time - 0.3) / 0.8, 0, 2)) - 1)
        return [(0, (400 + 400 * away, 180.0), 1.0)]

    results = list(run(heads_at, 2.4))
    assert identities(results) == {0: {0}}
    # The head is 124 px wide.
    out = [seen for _, heads, seen in results if heads[0][1][0] > WIDTH + 62]
    assert len(out) > 3
    assert not any(out)
    whole = [time for time, heads, _ in results if time > 1.1 and heads[0][1][0] < WIDTH - 62]
    assert all(seen for time, _, seen in results if time > whole[0] + 0.5)


def test_leaving_and_coming_back_elsewhere() -> None:
    """The same person gets the id back; another one who comes in the meantime gets a new one."""

    def heads_at(time: float) -> Heads:
        if time < 0.5:
            return [(0, (200.0, 180.0), 1.0)]
        if time < 1.0:
            return []
        return [(0, (330.0, 190.0), 1.1)] if time < 1.6 else [(1, (330.0, 190.0), 1.1)]

    # Half a second between the two, so that this is no smooth change of looks.
    results = list(run(lambda t: [] if 1.6 <= t < 2.0 else heads_at(t), 2.6))
    assert identities(results) == {0: {0}, 1: {1}}
    first_again = min(time for time, _, seen in results if time >= 1.0 and seen)
    assert first_again <= 1.5


def test_a_cut_makes_new_ids_even_for_a_face_in_the_same_place() -> None:
    other_room = np.ascontiguousarray(255 - background(5)[:, ::-1])
    results = list(
        run(
            lambda time: [(0 if time < 0.6 else 1, (320.0, HEIGHT / 2), 1.2)],
            1.2,
            lambda time: ROOM if time < 0.6 else other_room,
        )
    )
    assert identities(results) == {0: {0}, 1: {1}}
    assert all(seen for _, _, seen in results)


@pytest.mark.parametrize("speed", [30.0, 45.0])
def test_a_fast_slide_keeps_its_id(speed: float) -> None:
    """A third to half of a face in every frame."""
    step = speed * FPS  # pixels a second; the face is 95 pixels wide
    results = list(run(lambda time: [(0, (90.0 + step * min(time, 0.66), 180.0), 1.0)], 0.9))
    assert identities(results) == {0: {0}}
    assert all(seen for _, _, seen in results)


def test_a_clip_in_which_one_person_slides_across_another(data_root: Path) -> None:
    """Both turn and talk, so that neither looks as at the beginning when they meet."""
    clip = data_root / "odd" / "cross.mp4"
    if not clip.is_file():
        pytest.skip(f"needs {clip}")
    places: dict[int, list[float]] = {}
    with Tracker(options=TrackerOptions(max_faces=2, threads=1)) as tracker:
        for frame in tracker.track(clip):
            for face in frame.faces:
                places.setdefault(face.id, []).append(float(face.raw[:, 0].mean()))
    # One walks from left to right, the other back: no track turns round on its way.
    for way in places.values():
        assert abs(way[-1] - way[0]) > 0.9 * (max(way) - min(way))
