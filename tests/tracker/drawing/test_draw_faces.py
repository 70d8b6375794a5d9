from types import SimpleNamespace

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from model.crop import Region
from model.errors import InputError
from model.shipped_markups import MARKUPS, WFLW
from tests.support.drawn_face import canvas, face, maps_of
from tests.support.tracked_scene import TEMPLATE
from tracker.drawing.draw_faces import (
    DEFAULT_LAYERS,
    LAYERS,
    draw_faces,
    parse_layers,
    smooth_curve,
    wants_maps,
)
from tracker.drawing.strokes import Window
from tracker.drawing.style import DrawStyle
from tracker.drawing.text_label import draw_label


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.9])
def test_dots_are_placed_to_a_fraction_of_a_pixel(scale: int, offset: float) -> None:
    image = canvas(0, 80, 60)
    window = Window(image[5:55, 10:75], (10, 5), scale)
    cover = window.cover()
    window.dots(cover, np.array([[30 + offset, 20 - offset]]), 3.0)
    window.blend([(cover, (255, 255, 255), 1.0)])
    weight = image[..., 0].astype(float)
    y, x = np.mgrid[:60, :80]
    centre = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    assert centre == pytest.approx((30 + offset, 20 - offset), abs=0.06)
    assert weight.sum() / 255 == pytest.approx(np.pi * 3**2, rel=0.08)


@pytest.mark.parametrize(
    ("scale", "width"), [(4, 0.75), (4, 1.25), (4, 1.75), (2, 1.5), (2, 3), (1, 3), (1, 5)]
)
@pytest.mark.parametrize("y", [20.0, 20.3, 20.6])
def test_lines_have_their_place_and_width(scale: int, width: float, y: float) -> None:
    image = canvas(0, 80, 60)
    window = Window(image, (0, 0), scale)
    cover = window.cover()
    window.lines(cover, [np.array([[10.0, y], [70.0, y]])], width)
    window.blend([(cover, (255, 255, 255), 1.0)])
    column = image[:, 40, 0].astype(float)
    centre = (column * np.arange(60)).sum() / column.sum()
    assert centre == pytest.approx(y, abs=0.2)
    # OpenCV's smoothing adds up to 0.7 of an (enlarged) pixel.
    assert column.sum() / 255 == pytest.approx(width, abs=0.8 / scale)


def test_blending_by_coverage_and_opacity() -> None:
    image = canvas(100, 40, 30)
    window = Window(image[3:, 5:], (5, 3), 2)
    half, all_of_it = window.cover(), window.cover()
    half[10:20, 10:20] = 255
    all_of_it[15:17, 15:17] = 255
    all_of_it[15:17, 17] = 128
    window.blend([(half, (200, 0, 100), 0.5), (all_of_it, (7, 8, 9), 1.0)])
    np.testing.assert_array_equal(image[3 + 12, 5 + 12], (150, 50, 100))
    np.testing.assert_array_equal(image[3 + 16, 5 + 16], (7, 8, 9))
    # Half a pixel is covered by the smaller square here: half of the colours on both sides.
    np.testing.assert_allclose(image[3 + 16, 5 + 17], (79, 29, 55), atol=1)
    assert (image[:12] == 100).all()
    assert (image[:, :14] == 100).all()


@pytest.mark.parametrize("count", [2, 3, 4, 33])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_curves_are_catmull_rom_splines_through_the_points(count: int, steps: int) -> None:
    points = np.random.default_rng(count).uniform(0, 100, (count, 2))
    curve = smooth_curve(points, steps)
    np.testing.assert_allclose(curve[::steps], points, atol=1e-9)
    # The textbook definition: cubic Hermite pieces with central differences as tangents; at the
    # ends the neighbour is mirrored, which makes them one-sided differences.
    tangents = np.gradient(points, axis=0)
    reference = CubicHermiteSpline(np.arange(count), points, tangents)
    at = np.arange((count - 1) * steps + 1) / steps
    np.testing.assert_allclose(curve, reference(at), atol=1e-9)


def test_the_input_stays_as_it_is() -> None:
    image = canvas(90)
    drawn = draw_faces(image, [face()], WFLW)
    assert (image == 90).all()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, image)
    np.testing.assert_array_equal(draw_faces(image, [], WFLW), image)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [60, 150, 280])
def test_landmarks_stand_out_on_any_background(level: int, size: float) -> None:
    shown = face(size)
    drawn = draw_faces(canvas(level), [shown], WFLW).astype(int)
    spots = np.rint(shown.landmarks).astype(int)
    patches = [drawn[y - 2 : y + 3, x - 2 : x + 3] for x, y in spots]
    contrast = [patch.max() - patch.min() for patch in patches]
    assert min(contrast) > 80


def test_strokes_grow_with_the_face() -> None:
    style = DrawStyle()
    changed = []
    for size in (60, 120, 240):
        image = canvas(0)
        drawn = draw_faces(image, [face(size)], WFLW, frozenset({"curves"}), style)
        changed.append((drawn.max(axis=2) > 0).sum() / size**2)
    # The share of the face under strokes stays alike instead of quadrupling on a small face.
    assert max(changed) < 2.5 * min(changed)


def test_layers_draw_what_they_say() -> None:
    image = canvas(60)
    shown = face(100)
    drawn = {layer: draw_faces(image, [shown], WFLW, frozenset({layer})) for layer in LAYERS}
    changed = {layer: (picture != image).any(axis=2) for layer, picture in drawn.items()}
    low, high = shown.landmarks.min(axis=0), shown.landmarks.max(axis=0)
    rows, columns = np.nonzero(changed["box"])
    outside = (columns < low[0]) | (columns > high[0]) | (rows < low[1]) | (rows > high[1])
    assert outside.mean() > 0.9
    assert np.nonzero(changed["ids"])[0].max() < low[1]
    # The region, and a cell of the maps around it in which they fade.
    half = shown.region.size / 2 + shown.region.size / 32
    rows, columns = np.nonzero(changed["attention"])
    assert (abs(columns - shown.region.x) <= half).all()
    assert (abs(rows - shown.region.y) <= half).all()
    assert changed["attention"].sum() > 0.9 * shown.region.size**2
    assert changed["boundaries"].sum() > changed["curves"].sum()
    assert changed["points"].sum() < changed["curves"].sum()
    for point in WFLW.curves[0]:  # the pupils 96 and 97 are on no curve, the contour is
        x, y = np.rint(shown.landmarks[point]).astype(int)
        assert changed["curves"][y, x]
        assert changed["boundaries"][y, x]
    x, y = np.rint(shown.landmarks[96]).astype(int)
    assert changed["points"][y, x]
    assert DEFAULT_LAYERS.issubset(LAYERS)


def test_maps_that_are_not_there_are_missed() -> None:
    shown = face()
    shown.maps = None
    for layer in ("boundaries", "attention"):
        assert wants_maps(frozenset({layer, "points"}))
        with pytest.raises(InputError, match=rf"TrackerOptions\(maps=True\) to draw {layer}"):
            draw_faces(canvas(60), [shown], WFLW, frozenset({layer}))
    assert not wants_maps(frozenset(LAYERS) - {"boundaries", "attention"})


@pytest.mark.parametrize("corner", [(-50.0, -50.0), (500.0, 500.0), (60.0, 40.0)])
@pytest.mark.parametrize("text", ["7", "smoothed"])
def test_labels_are_whole_and_readable(corner: tuple[float, float], text: str) -> None:
    drawn = []
    for level in (0, 255):
        image = canvas(level, 200, 150)
        draw_label(image, text, corner, 100.0, (255, 255, 0))
        drawn.append(image)
    letters = (drawn[0] != 0).any(axis=2)
    rim = (drawn[1] != 255).any(axis=2)
    assert letters.sum() > 20
    # Every letter is inside its rim, and the rim inside the picture.
    assert rim[letters].all()
    edges = np.concatenate([letters[0], letters[-1], letters[:, 0], letters[:, -1]])
    assert not edges.any()
    assert (drawn[1].max(axis=2)[rim] < 60).any()


def test_a_label_fits_a_picture_smaller_than_itself() -> None:
    image = canvas(0, 12, 9)
    draw_label(image, "smoothed", (0.0, 0.0), 100.0, (255, 255, 0))
    assert image.any()


def test_faces_have_their_own_colours() -> None:
    pictures = [
        draw_faces(canvas(60), [face(number=number)], WFLW, frozenset({"curves"}))
        for number in range(4)
    ]
    colours = {tuple(picture.max(axis=(0, 1))) for picture in pictures}
    assert len(colours) == 4


@pytest.mark.parametrize("markup", MARKUPS.values(), ids=MARKUPS)
@pytest.mark.parametrize(
    ("x", "y", "size"), [(0, 0, 100), (400, 300, 100), (200, 150, 900), (-500, -500, 100)]
)
def test_faces_may_leave_the_image(markup, x: float, y: float, size: float) -> None:
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (markup.points, 2)) * size + (x, y)
    region = Region(x, y, 1.3 * size, 0.3)
    shown = SimpleNamespace(
        id=0, landmarks=points.astype(np.float32), region=region, maps=maps_of(TEMPLATE, region)
    )
    image = canvas(60)
    drawn = draw_faces(image, [shown], markup, frozenset(LAYERS) - {"ids"})
    inside = ((points >= 0) & (points <= (399, 299))).all(axis=1).any()
    assert (drawn != image).any() == inside or inside
    draw_faces(image, [shown], markup, frozenset({"ids"}))  # the number stays in the image


def test_names_of_layers() -> None:
    assert parse_layers("points, ids") == {"points", "ids"}
    for text in ("points,dots", "", ","):
        with pytest.raises(
            InputError, match="points, curves, boundaries, pose, ids, box, attention"
        ):
            parse_layers(text)
