"""Markups: which points a network finds, how they hang together, and what they are good for.

Everything that depends on the number or order of landmarks (network heads, heatmaps, flips,
metrics, drawing, file headers) derives from the `Markup` objects here. Three come with the package;
`model.markup_file` reads one's own. Indices are zero-based; left and right are those of the image.
"""

from __future__ import annotations

from cmath import phase
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

Group = tuple[int, ...]
# Two groups of landmarks whose mean points span a distance, or a measure of the tight box.
Normalizer = tuple[Group, Group] | Literal["box", "diagonal"]


@dataclass(frozen=True)
class Slit:
    """An opening: two corners, and pairs of points that face each other across it.

    Attributes:
        corners: the left and the right one of the picture.
        pairs: (upper, lower) points.
    """

    corners: tuple[int, int]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Roles:
    """What points are of a face: pose, openings and blinks need to know it.

    Attributes:
        left_eye: its lids; left and right are the picture's. None: no openings, no blinks.
        right_eye: likewise.
        mouth: its inner lips; None: no opening of the mouth.
        wflw98: landmark -> WFLW's points whose mean it is (one named twice counts twice). Enough of
            them, and the generic 3D face says how the head is turned.
    """

    left_eye: Slit | None = None
    right_eye: Slit | None = None
    mouth: Slit | None = None
    wflw98: Mapping[int, Group] = field(default_factory=dict)

    @property
    def eyes(self) -> tuple[Slit, Slit] | None:
        """Both eyes; None if one is missing."""
        if self.left_eye is None or self.right_eye is None:
            return None
        return self.left_eye, self.right_eye


@dataclass(frozen=True)
class Markup:
    """One way to place landmarks on a face, or on something else.

    Attributes:
        name: "wflw98", for example; also stored in weights and exported files.
        names: of the K landmarks; their numbers where nobody named them.
        curves: name -> boundary: the indices of the landmarks that it runs through. M of them.
        pairs: landmarks that change places when the image is mirrored; None: a mirror image is no
            such thing (letters, left hands).
        normalizers: name -> what point errors are divided by. The first is the default.
        upright: two groups of landmarks, level when the thing stands upright: crops turn with it.
            None: they stay as the image is.
        groups: name -> landmarks that reports take together; each landmark is in one.
        roles: what points are of a face.
    """

    name: str
    names: tuple[str, ...]
    named_curves: Mapping[str, Group]
    pairs: tuple[tuple[int, int], ...] | None
    normalizers: Mapping[str, Normalizer]
    upright: tuple[Group, Group] | None
    groups: Mapping[str, Group]
    roles: Roles = Roles()

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        # Tables have no hash; names are as good as unique.
        return hash((self.name, self.names))

    @property
    def points(self) -> int:
        """Number of landmarks K."""
        return len(self.names)

    @property
    def curves(self) -> tuple[Group, ...]:
        """The boundaries, without their names."""
        return tuple(self.named_curves.values())

    @property
    def flip(self) -> NDArray[np.intp]:
        """[K] permutation: landmark i of a mirrored face is landmark flip[i] of the original."""
        return _permutation(self.points, self.pairs or ())

    @property
    def curve_flip(self) -> NDArray[np.intp]:
        """[M] permutation of the boundaries under mirroring."""
        flip, curves = self.flip, self.curves
        known = {_either_way(curve): i for i, curve in enumerate(curves)}
        images = [_either_way(tuple(flip[list(curve)].tolist())) for curve in curves]
        partners = [known.get(image, i) for i, image in enumerate(images)]
        return np.array(partners, dtype=np.intp)

    @property
    def default_normalizer(self) -> str:
        """Name of the distance that this markup's benchmark divides by."""
        return next(iter(self.normalizers))

    def normalizer(
        self, points: NDArray[np.floating], name: str | None = None
    ) -> NDArray[np.float64]:
        """Distance by which point errors are divided to give the NME (paper Eq. 6).

        Args:
            points: [..., K, 2] true landmarks, pixels.
            name: a key of `normalizers`; the default one if None.

        Returns:
            [...] distances, pixels: between two groups' mean points, the square root of the tight
            box's area ("box"), or the box's diagonal.

        Raises:
            InputError: the markup has no such normaliser.
        """
        key = name or self.default_normalizer
        if key not in self.normalizers:
            raise InputError(
                f"markup {self.name} has no normaliser '{key}': use one of "
                f"{', '.join(self.normalizers)}."
            )
        rule = self.normalizers[key]
        if isinstance(rule, str):
            sides = np.nanmax(points, axis=-2) - np.nanmin(points, axis=-2)
            area = rule == "box"
            length = np.sqrt(sides.prod(axis=-1)) if area else np.linalg.norm(sides, axis=-1)
        else:
            left, right = (points[..., list(group), :].mean(axis=-2) for group in rule)
            length = np.linalg.norm(right - left, axis=-1)
        return np.asarray(length, dtype=np.float64)

    def roll(self, points: NDArray[np.floating]) -> float:
        """How far the thing is turned in the picture, radians; 0 where the markup cannot tell.

        Args:
            points: [K, 2] landmarks, pixels, y down; positive angles turn x towards y.
        """
        if self.upright is None:
            return 0.0
        left, right = (
            complex(*(sum(points[i, axis] for i in group) / len(group) for axis in (0, 1)))
            for group in self.upright
        )
        return phase(right - left)


# A markup, or the name of one that comes with the package.
AnyMarkup = Markup | str


def _permutation(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.intp]:
    order = np.arange(count)
    for first, second in pairs:
        order[first], order[second] = second, first
    return order


def _either_way(curve: Group) -> Group:
    """A curve in the direction that sorts first: its line is the same in both."""
    return min(curve, curve[::-1])
