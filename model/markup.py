"""The landmark markups: points, boundary curves, mirror pairs and normalisers, in one table.

Everything that depends on the number or order of landmarks (network heads, heatmaps, flips,
metrics, drawing, file headers) derives from the `Markup` objects here. Indices are zero-based; left
and right are those of the image.

Sources: WFLW (Wu et al., CVPR 2018) 98 points with the 15 boundaries of PropNet's section 3.1;
300W / iBUG (Sagonas et al., 2013) 68 points; COFW (Burgos-Artizzu et al., ICCV 2013) 29 points.
"""

from __future__ import annotations

from cmath import phase
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError


def _span(first: int, last: int) -> tuple[int, ...]:
    """Indices from `first` to `last`, both included, in either direction."""
    step = 1 if last >= first else -1
    return tuple(range(first, last + step, step))


@dataclass(frozen=True, eq=False)
class Markup:
    """One way to place landmarks on a face.

    Attributes:
        name: key in `MARKUPS`, also stored in weights and exported files.
        points: number of landmarks K.
        curves: M boundaries, each the indices of the landmarks it runs through.
        pairs: landmarks that change places when the image is mirrored.
        curve_pairs: boundaries that change places when the image is mirrored.
        normalizers: name -> two groups of landmarks whose mean points span the normalising
            distance of the NME. The first is the markup's default.
    """

    name: str
    points: int
    curves: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[int, int], ...]
    curve_pairs: tuple[tuple[int, int], ...]
    normalizers: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def flip(self) -> NDArray[np.intp]:
        """[K] permutation: landmark i of a mirrored face is landmark flip[i] of the original."""
        return _permutation(self.points, self.pairs)

    @property
    def curve_flip(self) -> NDArray[np.intp]:
        """[M] permutation of the boundaries under mirroring."""
        return _permutation(len(self.curves), self.curve_pairs)

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
            [...] distances, pixels.

        Raises:
            InputError: the markup has no such normaliser.
        """
        key = name or self.default_normalizer
        if key not in self.normalizers:
            raise InputError(
                f"markup {self.name} has no normaliser '{key}': use one of "
                f"{', '.join(self.normalizers)}."
            )
        left, right = (points[..., list(group), :].mean(axis=-2) for group in self.normalizers[key])
        return np.asarray(np.linalg.norm(right - left, axis=-1), dtype=np.float64)

    def roll(self, points: NDArray[np.floating]) -> float:
        """Angle of the line through both eyes in radians, 0 for an upright face.

        Args:
            points: [K, 2] landmarks, pixels, y down; positive angles turn x towards y.
        """
        left, right = (
            complex(*(sum(points[i, axis] for i in group) / len(group) for axis in (0, 1)))
            for group in self.normalizers[self.default_normalizer]
        )
        return phase(right - left)


def _permutation(count: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.intp]:
    order = np.arange(count)
    for first, second in pairs:
        order[first], order[second] = second, first
    return order


WFLW = Markup(
    name="wflw98",
    points=98,
    curves=(
        _span(0, 32),  # contour
        _span(33, 37),  # left brow, top
        _span(42, 46),  # right brow, top
        _span(51, 54),  # nose bridge
        _span(55, 59),  # nose base
        _span(60, 64),  # left upper lid
        (60, 67, 66, 65, 64),  # left lower lid
        _span(68, 72),  # right upper lid
        (68, 75, 74, 73, 72),  # right lower lid
        _span(76, 82),  # upper lip, outer
        _span(88, 92),  # upper lip, inner
        (88, 95, 94, 93, 92),  # lower lip, inner
        (76, 87, 86, 85, 84, 83, 82),  # lower lip, outer
        (33, 41, 40, 39, 38),  # left brow, bottom
        _span(46, 50),  # right brow, bottom
    ),
    pairs=(
        *((i, 32 - i) for i in range(16)),
        *zip(_span(33, 37), _span(46, 42), strict=True),
        (38, 50), (39, 49), (40, 48), (41, 47),
        (55, 59), (56, 58),
        (60, 72), (61, 71), (62, 70), (63, 69), (64, 68), (65, 75), (66, 74), (67, 73),
        (76, 82), (77, 81), (78, 80), (83, 87), (84, 86),
        (88, 92), (89, 91), (93, 95),
        (96, 97),
    ),
    curve_pairs=((1, 2), (5, 7), (6, 8), (13, 14)),
    normalizers={"inter-ocular": ((60,), (72,)), "inter-pupil": ((96,), (97,))},
)  # fmt: skip

IBUG = Markup(
    name="ibug68",
    points=68,
    curves=(
        _span(0, 16),
        _span(17, 21),
        _span(22, 26),
        _span(27, 30),
        _span(31, 35),
        _span(36, 39),
        (36, 41, 40, 39),
        _span(42, 45),
        (42, 47, 46, 45),
        _span(48, 54),
        _span(60, 64),
        (60, 67, 66, 65, 64),
        (48, 59, 58, 57, 56, 55, 54),
    ),
    pairs=(
        *((i, 16 - i) for i in range(8)),
        *zip(_span(17, 21), _span(26, 22), strict=True),
        (31, 35), (32, 34),
        (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
        (48, 54), (49, 53), (50, 52), (55, 59), (56, 58),
        (60, 64), (61, 63), (65, 67),
    ),
    curve_pairs=((1, 2), (5, 7), (6, 8)),
    normalizers={
        "inter-ocular": ((36,), (45,)),
        # The 68-point markup has no pupils: the field takes the mean of each eye's outline.
        "inter-pupil": (_span(36, 41), _span(42, 47)),
    },
)  # fmt: skip

COFW = Markup(
    name="cofw29",
    points=29,
    curves=(
        (0, 4, 2),
        (0, 5, 2),
        (1, 6, 3),
        (1, 7, 3),
        (8, 12, 10),
        (8, 13, 10),
        (9, 14, 11),
        (9, 15, 11),
        (18, 21, 19),
        (22, 24, 23),
        (22, 25, 23),
        (22, 26, 23),
        (22, 27, 23),
    ),
    pairs=(
        (0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17), (18, 19),
        (22, 23),
    ),
    curve_pairs=((0, 2), (1, 3), (4, 6), (5, 7)),
    normalizers={"inter-pupil": ((16,), (17,)), "inter-ocular": ((8,), (9,))},
)  # fmt: skip

MARKUPS: dict[str, Markup] = {markup.name: markup for markup in (WFLW, IBUG, COFW)}

# The 60 landmarks that both markups place at the same spot: (WFLW index, iBUG index).
WFLW_TO_IBUG: tuple[tuple[int, int], ...] = (
    *((2 * i, i) for i in range(17)),
    *zip(_span(33, 37), _span(17, 21), strict=True),
    *zip(_span(42, 46), _span(22, 26), strict=True),
    *zip(_span(51, 59), _span(27, 35), strict=True),
    (60, 36), (64, 39), (68, 42), (72, 45),
    *zip(_span(76, 95), _span(48, 67), strict=True),
)  # fmt: skip


def get_markup(name: str) -> Markup:
    """The markup of that name.

    Raises:
        InputError: there is none.
    """
    if name not in MARKUPS:
        raise InputError(f"unknown markup '{name}': use one of {', '.join(MARKUPS)}.")
    return MARKUPS[name]
