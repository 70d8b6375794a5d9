"""HDR and wide colours as the pictures that everything here was made for: BT.709, 8 bits.

Where the numbers come from: PQ and HLG are ITU-R BT.2100; that white is 203 cd/m2 in either is
BT.2408; the curve that takes highlights back, BT.2390 (EETF); cutting off what the smaller gamut
does not have, BT.2407 section 2; the screen, BT.1886. All of it is computed once, for a grid of
colours between which FFmpeg interpolates.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Luminance of white, cd/m2: a page of paper in the scene, and the brightest that the result has.
WHITE = 203.0
# Of the brightest highlight, where a file does not say: what most of them are graded on.
_USUAL_PEAK = 1000.0
_PQ_PEAK = 10_000.0
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # the screen that HLG is defined on
_SCREEN_GAMMA = 2.4

# CIE xy of red, green and blue; white is D65 in all of them.
_PRIMARIES = {
    ColorPrimaries.BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    ColorPrimaries.SMPTE432: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
    ColorPrimaries.BT2020: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)),
}
_D65 = (0.3127, 0.3290)


class Light(Enum):
    """How stored numbers mean light."""

    PQ = "PQ"
    HLG = "HLG"
    SDR = "SDR"


_LIGHT: dict[int, Light] = {ColorTrc.SMPTE2084: Light.PQ, ColorTrc.ARIB_STD_B67: Light.HLG}


def light_of(frame: VideoFrame) -> tuple[Light, ColorPrimaries] | None:
    """What has to be done about a frame's colours; None if they are ordinary, or unsaid."""
    light = _LIGHT.get(frame.color_trc, Light.SDR)
    stated = frame.color_primaries
    if light is Light.SDR:
        wide = stated in (ColorPrimaries.BT2020, ColorPrimaries.SMPTE432)
        return (light, ColorPrimaries(stated)) if wide else None
    # HDR that does not say its colours has those of BT.2100.
    known = stated in _PRIMARIES
    return light, ColorPrimaries(stated) if known else ColorPrimaries.BT2020


def stated_peak(frame: VideoFrame) -> float:
    """Luminance of a PQ frame's brightest highlight, cd/m2: of its content, else of the screen that
    it was graded on, else the usual one; never darker than white.
    """  # noqa: D205 (one sentence)
    content: Any = frame.side_data.get("CONTENT_LIGHT_LEVEL")
    if content is not None and (level := int(np.frombuffer(content, np.uint32)[0])):
        return float(np.clip(level, WHITE, _PQ_PEAK))
    screen: Any = frame.side_data.get("MASTERING_DISPLAY_METADATA")
    if screen is not None:
        # FFmpeg's AVMasteringDisplayMetadata: ten fractions, the last one the highest luminance.
        numbers = np.frombuffer(screen, np.int32)
        if numbers[19] and numbers[18]:
            return float(np.clip(numbers[18] / numbers[19], WHITE, _PQ_PEAK))
    return _USUAL_PEAK


def to_bt709(
    signal: Values, light: Light, primaries: ColorPrimaries, peak: float = _USUAL_PEAK
) -> Values:
    """Colours as BT.709 has them.

    Args:
        signal: [..., 3], R'G'B' in 0..1, as stored.
        light: how they mean light.
        primaries: what red, green and blue are.
        peak: luminance of the brightest highlight, cd/m2; of PQ only.

    Returns:
        [..., 3], R'G'B' in 0..1.
    """
    turn = _matrix(ColorPrimaries.BT709, primaries)
    if light is Light.SDR:
        linear = signal**_SCREEN_GAMMA
    else:
        shown = _pq_to_light(signal) if light is Light.PQ else _hlg_to_light(signal, primaries)
        peak = peak if light is Light.PQ else _HLG_PEAK
        # The brightest of the three: hue stays, and none is cut off.
        brightest = np.maximum(shown.max(axis=-1, keepdims=True), 1e-6)
        linear = shown * (_roll_off(brightest, peak) / brightest) / WHITE
    return np.asarray(np.clip(linear @ turn.T, 0, 1) ** (1 / _SCREEN_GAMMA), np.float64)


def _pq_to_light(signal: Values) -> Values:
    """BT.2100's PQ EOTF: 0..1 to cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.power(signal, 1 / m2)
    return _PQ_PEAK * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def light_to_pq(light: Values) -> Values:
    """Its inverse: cd/m2 to 0..1."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.asarray(light, np.float64) / _PQ_PEAK) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def _hlg_to_light(signal: Values, primaries: ColorPrimaries) -> Values:
    """BT.2100's HLG on its screen of 1000 cd/m2: inverse OETF, then OOTF."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ _to_xyz(primaries)[1]
    return _HLG_PEAK * scene * np.maximum(luminance, 1e-9)[..., None] ** (_HLG_GAMMA - 1)


def _roll_off(light: Values, peak: float) -> Values:
    """BT.2390's curve: cd/m2 up to `peak` to cd/m2 up to white; what is dark stays as it is."""
    top = float(light_to_pq(np.array(peak)))
    limit = float(light_to_pq(np.array(WHITE))) / top
    knee = 1.5 * limit - 0.5
    value = np.minimum(light_to_pq(light) / top, 1)
    t = np.maximum(value - knee, 0) / (1 - knee) if knee < 1 else np.zeros_like(value)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * limit
    )
    return _pq_to_light(top * np.where(value < knee, value, spline))


def _matrix(target: ColorPrimaries, source: ColorPrimaries) -> Values:
    """[3, 3], linear RGB to linear RGB."""
    return np.asarray(np.linalg.solve(_to_xyz(target), _to_xyz(source)), np.float64)


def _to_xyz(primaries: ColorPrimaries) -> Values:
    """[3, 3], linear RGB to CIE XYZ; the second row gives luminance."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _D65
    return columns @ np.diag(np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y])))
