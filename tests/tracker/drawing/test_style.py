import numpy as np
import pytest

from model.errors import InputError
from model.shipped_markups import WFLW
from tests.support.drawn_face import canvas, face
from tracker.drawing.draw_faces import draw_faces
from tracker.drawing.style import PALETTE, DrawStyle, Size, parse_style

POINTS, CURVES = frozenset({"points"}), frozenset({"curves"})


def test_nothing_said_is_the_usual_style() -> None:
    assert parse_style() == DrawStyle()
    assert DrawStyle().colours == PALETTE


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", Size(3.0)), (" .5 ", Size(0.5)), ("2.5px", Size(2.5)), ("150%", Size(None, 1.5))],
)
def test_sizes(text: str, expected: Size) -> None:
    assert parse_style(point_size=text).point_size == expected
    assert parse_style(line_width=text).line_width == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "thin", "1e3", "2%%", "nan", "1001", "3 4"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match=r"--point-size .* is no size: give pixels"):
        parse_style(point_size=text)
    with pytest.raises(InputError, match=r"--line-width .* is no size"):
        parse_style(line_width=text)


def test_colours() -> None:
    style = parse_style(color="red, #00ff7F,#abc", point_color="BLACK")
    assert style.colours == ((255, 0, 0), (0, 255, 127), (0xAA, 0xBB, 0xCC))
    assert [style.colour(track) for track in (0, 1, 2, 3)] == [*style.colours, style.colours[0]]
    assert style.point_colour == (0, 0, 0)
    for text in ("", "mauve", "ff0000", "#ff00", "#gggggg", "red,,blue"):
        with pytest.raises(InputError, match=r"--color: no colour .*; give #RRGGBB, or one of"):
            parse_style(color=text)
    with pytest.raises(InputError, match="points have one colour"):
        parse_style(point_color="red,blue")


def test_sizes_follow_the_face_within_limits_that_follow_the_picture() -> None:
    style = DrawStyle()
    assert style.line_pixels(300, 640) == pytest.approx(300 * style.line)
    assert style.line_pixels(20, 176) == style.line_limits[0]
    assert style.line_pixels(5000, 1920) == style.line_limits[1]
    # A screen shows a 4K picture at half its size.
    assert style.line_pixels(20, 3840) == 2 * style.line_limits[0]
    assert style.line_pixels(5000, 3840) == 2 * style.line_limits[1]
    assert style.point_radius(300, 640) == pytest.approx(300 * style.point)
    double = parse_style("200%", "200%")
    for size in (20, 300, 5000):
        assert double.line_pixels(size, 640) == 2 * style.line_pixels(size, 640)
        assert double.point_radius(size, 640) == 2 * style.point_radius(size, 640)
    fixed = parse_style("6", "4")
    assert {fixed.line_pixels(size, 3840) for size in (20, 5000)} == {4.0}
    assert {fixed.point_radius(size, 3840) for size in (20, 5000)} == {3.0}


def test_what_is_drawn_has_the_size_and_colour_asked_for() -> None:
    lone = face(200)
    lone.landmarks = lone.landmarks.copy()
    lone.landmarks[1:] = (600.0, 500.0)  # all but the first outside the picture
    drawn = draw_faces(canvas(0), [lone], WFLW, POINTS, parse_style("9", None, None, "#0000ff"))
    assert (drawn[..., :2] == 0).all()
    assert drawn[..., 2].sum() / 255 == pytest.approx(np.pi * 4.5**2, rel=0.06)
    red = draw_faces(canvas(0), [face()], WFLW, CURVES, parse_style(color="red"))
    assert (red[..., 1:] == 0).all()
    thin, thick = (
        draw_faces(canvas(0), [face()], WFLW, CURVES, parse_style(None, width, "white"))
        for width in ("1", "4")
    )
    assert 2 < thick.sum() / thin.sum() < 4  # neighbouring curves overlap


@pytest.mark.parametrize(("width", "height", "size"), [(176, 144, 70), (3840, 2160, 300)])
def test_the_usual_style_shows_on_tiny_and_on_4k(width: int, height: int, size: float) -> None:
    shown = face(size, width / 2, height / 2)
    drawn = draw_faces(canvas(128, width, height), [shown], WFLW)
    # As on a screen that is 960 pixels wide.
    factor = max(width // 960, 1)
    small = drawn.reshape(height // factor, factor, width // factor, factor, 3).mean(axis=(1, 3))
    for x, y in (shown.landmarks[:33] + 0.5) / factor - 0.5:
        row, column = round(float(y)), round(float(x))
        patch = small[row - 2 : row + 3, column - 2 : column + 3]
        assert patch.max() - patch.min() > 60
