"""Heads turned further: data sets hold few profiles, and drivers look over their shoulders.

The camera walks around the head. Depth comes from the generic 3D face in the pose that the labels
show; every pixel then moves along one direction of the picture, near ones further. What slides
behind something nearer disappears, and a landmark there is put where the surface in front of it
ends, as people label it. What no picture shows, the back of the near cheek, is stretched skin.

After Zhu et al., "Face Alignment Across Large Poses: A 3D Solution", CVPR 2016, who turn a fitted
mesh; a surface through the landmarks needs none.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.markup import get_markup
from tracker.crop import warp_image
from tracker.face3d import face_model
from tracker.intrinsics import Intrinsics
from tracker.pose import Pose
from train.contour import contour, respaced
from train.groups import face_regions, head_pose

# Degrees. Less than the first changes little; more than the last stretches a few pixels of cheek
# over half of the view.
_TURN = (10.0, 45.0)
# Heads turn further to the side than a camera looks at them from above or below.
_NOD = (5.0, 20.0)
_NODS = 0.2
# No further than this in all, degrees: beyond it the eye that is left is seen from the side.
MOST = 75.0
# Heads turned further than this, degrees, are turned on, not back: their far side is not there.
_TURNED = 8.0
# The fitted contour is a silhouette, which slides over the cheeks towards the camera as the head
# turns; on average heads the skin there lies 56 mm behind the eyes, not 41.
_CONTOUR_DEPTH = 1.35
# The half that comes into view moves further still, towards the ear, which then shows where a face
# ends. Depth behind the chin, mm, from chin (0) to ear (1): what explains the labels of 1,809 and
# of 1,036 faces best as x = x0 cos(yaw) + depth sin(yaw).
_NEAR_DEPTH = ((0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 22.0, 56.0, 76.0, 78.0))
# Where there are no landmarks, mm in the head's axes, half of the head (x > 0 or in the middle);
# average heads such as MediaPipe's canonical one agree to some millimetres. Cheek, cheekbone, side
# of the jaw, forehead, temple; in front of the ear as deep as the contour.
_SKIN = np.array(
    [
        [48, 34, -4], [65, 17, 15], [62, 46, 15], [54, 67, 11], [35, 42, -9],
        [0, -56, -13], [35, -53, -6], [63, -40, 17], [72, -28, 31],
        [77, 3, 76], [77, 22, 76], [72, 60, 70],
    ],
    dtype=np.float64,
)  # fmt: skip
# Half of a head's width, mm: pixels further out belong to the background.
_HALF_HEAD = 85.0
# What the walk brings into a crop from beside it, in sides of the crop.
_MARGIN = 0.25
# The surface is evaluated on a grid of so many cells a side (three millimetres), and may miss its
# points by this share of the head's half width: other people's noses are not the generic one.
_CELLS = 48
# Neighbours that come from further apart than this, pixels, lie on both sides of an edge.
_JUMP = 4.0
_SLACK = 0.02


@dataclass(frozen=True)
class Turn:
    """How a head is turned further.

    Attributes:
        degrees: signed like the pose's yaw, or its pitch.
        nod: the pitch.
    """

    degrees: float
    nod: bool = False


def random_turn(points: NDArray[np.float64], markup: str, rng: np.random.Generator) -> Turn | None:
    """A turn by chance, mostly to the side, and on if the head is turned already.

    Args:
        points: [K, 2], pixels.
        markup: of the points.
        rng: source of chance.

    Returns:
        The turn; None if the points look like no head, or one that is turned far already.
    """
    nod, share, side = rng.random() < _NODS, rng.random(), 1 if rng.random() < 0.5 else -1
    found = head_pose(points, markup)
    if found is None:
        return None
    pitch, yaw, _ = found[0].angles
    now = pitch if nod else yaw
    low, high = _NOD if nod else _TURN
    if abs(now) > _TURNED:
        side = 1 if now > 0 else -1
    degrees = low + share * (min(high, MOST - side * now) - low)
    return Turn(side * degrees, nod) if degrees >= low else None


def turned_crop(
    image: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    points: NDArray[np.float64],
    *,
    markup: str,
    turn: Turn,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A crop of a head that is turned further than in its picture.

    Args:
        image: [H, W, 3] the picture.
        matrix: [2, 3], from its pixels to the crop's.
        size: side of the crop, pixels.
        points: [K, 2], pixels of the crop.
        markup: of the points.
        turn: how.

    Returns:
        [size, size, 3] and its points; see `turn_head`.
    """
    margin = round(_MARGIN * size)
    wide = matrix.copy()
    wide[:, 2] += margin
    picture = warp_image(image, wide, size + 2 * margin)
    turned, after = turn_head(picture, points + margin, markup, turn)
    inner = slice(margin, margin + size)
    return np.ascontiguousarray(turned[inner, inner]), after - margin


def turn_head(
    picture: NDArray[np.uint8], points: NDArray[np.float64], markup: str, turn: Turn
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Turn a head.

    Args:
        picture: [S, S, 3] with the head and something around it.
        points: [K, 2], pixels of the picture.
        markup: of the points.
        turn: how.

    Returns:
        Picture and points; the middle of the points' extent along the turn stays where it was. The
        ones given where the points look like no head.
    """
    found = head_pose(points, markup)
    if found is None:
        return picture, points
    side = 1 if turn.degrees > 0 else -1
    surface = head_surface(points, markup, *found, near=0 if turn.nod else side)
    # A head that looks down moves its nose down; one with yaw > 0, to the left of the picture.
    way = side * np.pi / 2 if turn.nod else (np.pi if side > 0 else 0.0)
    angle = float(np.deg2rad(abs(turn.degrees)))
    turned, after = walk_around(picture, points, surface, angle, surface.roll + way)
    return turned, respaced(after, points, get_markup(markup))


@dataclass(frozen=True, eq=False)
class Surface:
    """A head's surface towards the camera, as points of it.

    Attributes:
        places: [N, 2], pixels of the picture.
        depths: [N], pixels, away from the camera.
        middle: [2], pixels: the middle of the head.
        reach: half of its width, pixels.
        roll: tilt of the head in the picture, radians, positive from x towards y.
    """

    places: NDArray[np.float64]
    depths: NDArray[np.float64]
    middle: NDArray[np.float64]
    reach: float
    roll: float


def head_surface(
    points: NDArray[np.float64], markup: str, pose: Pose, camera: Intrinsics, *, near: int = 0
) -> Surface:
    """The surface of a head with these landmarks: the generic face's depth, and its skin.

    Args:
        points: [K, 2], pixels.
        markup: of the points.
        pose: of the head.
        camera: that the pose is for.
        near: the half that comes into view, 1: the right one in the picture of an upright head,
            -1: the left one, 0: none.
    """
    face = face_model(markup).points.copy()
    jaw = face_regions(get_markup(markup))["jaw"]
    # A chin that stands out stays where it is.
    face[jaw, 2] *= np.where(face[jaw, 2] > 0, _CONTOUR_DEPTH, 1.0)
    if near and (curve := contour(get_markup(markup))) is not None:
        half = curve[len(curve) // 2 :] if near > 0 else curve[: len(curve) // 2 + 1][::-1]
        inner = np.linspace(0, 1, len(half))
        face[half, 2] = face[half[0], 2] + np.interp(inner, *_NEAR_DEPTH)
    skin = np.vstack([_SKIN, _SKIN[_SKIN[:, 0] > 0] * [-1, 1, 1]])
    scale = camera.fx / pose.translation[2]
    middle = scale * pose.translation[:2] + [camera.cx, camera.cy]
    turned = scale * np.vstack([face, skin]) @ pose.matrix.T
    places = np.vstack([points, turned[len(points) :, :2] + middle])
    # Of the pose's three angles roll comes first; this is the tilt that is seen.
    roll = float(np.arctan2(-pose.matrix[0, 1], pose.matrix[1, 1]))
    return Surface(places, turned[:, 2], middle, scale * _HALF_HEAD, roll)


def walk_around(
    picture: NDArray[np.uint8],
    points: NDArray[np.float64],
    surface: Surface,
    angle: float,
    towards: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture and the landmarks after the camera's walk around a surface.

    Args:
        picture: [S, S, 3].
        points: [K, 2], pixels of the picture.
        surface: of the head in it.
        angle: how far, radians, 0 to below pi / 2.
        towards: direction of the picture in which what is near moves, radians; 0 is to the right,
            positive turns x towards y.

    Returns:
        New picture and points.
    """
    side = picture.shape[0]
    cos, sin = np.cos(towards), np.sin(towards)
    axes = np.array([[cos, sin], [-sin, cos]])
    centre = (side - 1) / 2
    # In these axes everything moves along rows, to the right where it is near.
    local = (points - centre) @ axes.T + centre
    middle = (surface.middle - centre) @ axes.T + centre
    places = (surface.places - centre) @ axes.T + centre
    depth = _depths(places, surface, side)
    rows = _moved(depth, float(middle[0]), surface.reach, angle)
    after = local.copy()
    after[:, 0] = _sample(rows, local[None])[0]
    extent = [(np.min(xs) + np.max(xs)) / 2 for xs in (local[:, 0], after[:, 0])]
    rows += extent[0] - extent[1]
    after[:, 0] += extent[0] - extent[1]
    sources = _sources(rows)

    y, x = np.mgrid[:side, :side].astype(np.float64)
    seen = (np.stack([x, y], axis=-1) - centre) @ axes.T + centre
    seen[..., 0] = _sample(sources, seen)
    maps = ((seen - centre) @ axes + centre).astype(np.float32)
    out = cv2.remap(
        picture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    out = _soften(np.asarray(out, dtype=np.uint8), maps)
    return out, np.asarray((after - centre) @ axes + centre)


def _soften(picture: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Blur the edges that the walk made: cameras see no stairs, and a network would learn them."""
    jumps = np.zeros(picture.shape[:2], dtype=np.uint8)
    for axis in (0, 1):
        far = np.abs(np.diff(maps, axis=axis)).max(axis=-1) > _JUMP
        jumps[tuple(slice(0, n) for n in far.shape)] |= far
    edges = cv2.dilate(jumps, np.ones((3, 3), np.uint8)) > 0
    return np.where(edges[..., None], cv2.GaussianBlur(picture, (3, 3), 0), picture)


def _depths(places: NDArray[np.float64], surface: Surface, side: int) -> NDArray[np.float64]:
    """Depth [side, side] of a smooth surface through points: the biharmonic spline of space."""
    cells = np.linspace(0, side - 1, _CELLS + 1)
    grid = np.stack(np.meshgrid(cells, cells), axis=-1).reshape(-1, 2)
    count = len(places)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = _distances(places, places) - _SLACK * surface.reach * np.eye(count)
    system[count, count] = 0
    solved = np.linalg.solve(system, np.append(surface.depths, 0.0))
    coarse = _distances(grid, places) @ solved[:count] + solved[count]
    # Behind the ears there is only background.
    coarse = np.minimum(coarse, surface.depths.max()).reshape(len(cells), len(cells))
    y, x = (np.mgrid[:side, :side] * _CELLS / (side - 1)).astype(np.float32)
    return np.asarray(cv2.remap(coarse.astype(np.float32), x, y, cv2.INTER_LINEAR), np.float64)


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, M] of [N, 2] from [M, 2]."""
    x, y = (first[:, None, axis] - second[:, axis] for axis in (0, 1))
    return np.asarray(np.sqrt(x * x + y * y))


def _moved(
    depth: NDArray[np.float64], middle: float, reach: float, angle: float
) -> NDArray[np.float64]:
    """Where the pixels of each row go, [S, S]; hidden ones to the end of what hides them.

    Of two pixels that come to lie on one spot the left one is nearer, so a row's running maximum
    is what can be seen of it.
    """
    way = np.arange(depth.shape[1]) - middle
    head = np.clip(way, -reach, reach)
    moved = middle + way + head * (np.cos(angle) - 1) - np.sin(angle) * depth
    return np.asarray(np.maximum.accumulate(moved, axis=1))


def _sources(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse [S, S] of rows that never fall."""
    side = rows.shape[1]
    places = np.arange(side, dtype=np.float64)
    # np.interp wants rising places.
    rising = rows + 1e-4 * places
    return np.stack([np.interp(places, row, places) for row in rising])


def _sample(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [S, S] at places [H, W, 2], linear; outside of them the border's."""
    maps = places.astype(np.float32)
    found = cv2.remap(
        values.astype(np.float32), maps[..., 0], maps[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(found, dtype=np.float64)
