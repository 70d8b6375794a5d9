"""What a long run is judged by: the sender's script and the table's identities."""

from __future__ import annotations

from tests.soak.broadcast import ROUND, heads_at
from tests.soak.identities import identities
from tests.support.two_faces import WIDTH

LEFT, RIGHT = 0.25 * WIDTH, 0.75 * WIDTH


def table(*rows: tuple[int, float, int | None, float]) -> list[str]:
    """Frame, time, id (None: no face), x of the nose."""
    lines = ["frame,face_id,timestamp,success,x_54"]
    for frame, time, face, x in rows:
        lines.append(f"{frame},{face or 0},{time},{int(face is not None)},{x}")
    return lines


def test_the_script_keeps_each_person_in_a_half() -> None:
    seen = set()
    for tenth in range(round(10 * ROUND)):
        people = heads_at(tenth / 10)
        seen.add(tuple(who for who, _, _ in people))
        for who, (x, _), _ in people:
            assert (x > WIDTH / 2) == (who == 1)
    assert seen == {(0,), (), (1,), (0, 1)}
    assert heads_at(0) == heads_at(0.0)
    assert not heads_at(ROUND - 0.1)


def test_ids_that_are_right() -> None:
    found = identities(
        table(
            (1, 0.0, 0, LEFT), (2, 0.1, 0, LEFT), (2, 0.1, 1, RIGHT), (3, 0.2, None, 0.0),
            *((4 + i, 0.3 + 0.1 * i, None, 0.0) for i in range(20)), (24, 2.3, 1, RIGHT),
            (25, 9.0, 1, RIGHT),
        )
    )  # fmt: skip
    assert found.faults == []
    assert (found.frames, found.faces, found.ids, found.silences) == (25, 5, 2, 1)
    assert abs(found.longest_pause - 2.2) < 1e-6


def test_ids_that_are_wrong() -> None:
    away = [(2 + i, 0.1 + 0.1 * i, None, 0.0) for i in range(30)]
    cases = {
        "again after 3.1 s": [(1, 0.0, 7, LEFT), *away, (40, 3.1, 7, LEFT)],
        "to the other person": [(1, 0.0, 7, LEFT), (2, 0.1, 7, RIGHT)],
        "twice in frame 1": [(1, 0.0, 7, LEFT), (1, 0.0, 7, LEFT)],
    }
    for words, rows in cases.items():
        (fault,) = identities(table(*rows)).faults
        assert words in fault
