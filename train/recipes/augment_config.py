"""How strongly training views differ from the pictures: one number for each augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import InputError
from train.recipes.finite import check_finite, check_range


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of each augmentation; p_* are probabilities per sample.

    Attributes:
        rotation: degrees, uniform (paper: 30).
        scale: relative, uniform (paper: 15 %).
        translation: pixels of a 256 crop, uniform in x and y (paper: 25).
        flip: probability of mirroring (paper: 50 %).
        wide_rotation: degrees, for the share `p_wide`: heads lie on pillows and shoulders, and a
            detector's roll can be far off.
        p_wide: share of samples rotated up to `wide_rotation`.
        p_color: brightness, contrast, gamma, saturation and hue: webcams differ in all of them.
        p_gray: infrared cameras (driver monitoring) and old footage have no colour.
        p_blur: Gaussian or motion blur: fast heads, cheap lenses.
        p_resolution: shrink and enlarge: far faces fill a crop with few real pixels.
        p_noise: sensor noise in the dark.
        p_jpeg: block artefacts of compressed video.
        p_occlusion: a hand, a microphone, hair: an ellipse of other colours over part of the face.
        p_blink: eyes warped shut, wholly or in part (`train.augmentation.closed_eyes`).
        p_turn: heads turned further to the side, up or down (`train.augmentation.turned_head`).
        p_cover: hands, masks, glasses, hair and things in front (`train.augmentation.covers`).
        p_light: strong light from one side, in colours (`train.augmentation.light_and_paint`).
        p_paint: make-up and painted faces (likewise).
        p_box: boxes of other styles: reaching over the forehead, too large, off by a fifth.
    """

    rotation: float = 30.0
    scale: float = 0.15
    translation: float = 25.0
    flip: float = 0.5
    wide_rotation: float = 60.0
    p_wide: float = 0.1
    p_color: float = 0.7
    p_gray: float = 0.1
    p_blur: float = 0.2
    p_resolution: float = 0.15
    p_noise: float = 0.15
    p_jpeg: float = 0.2
    p_occlusion: float = 0.25
    # These change what chance gives to everything after them, so recipes ask for them.
    p_blink: float = 0.0
    p_turn: float = 0.0
    p_cover: float = 0.0
    p_light: float = 0.0
    p_paint: float = 0.0
    p_box: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            # The comparisons are false for NaN as well.
            if name.startswith("p_") or name == "flip":
                if not 0 <= value <= 1:
                    raise InputError(f"'{name}' is a probability: it must be from 0 to 1.")
            elif not value >= 0:
                raise InputError(f"'{name}' must not be negative.")
        check_finite(self)
        check_range(self, rotation=180, wide_rotation=180, translation=256)
        if self.scale >= 1:
            raise InputError("'scale' must be below 1: it is relative to the face.")
