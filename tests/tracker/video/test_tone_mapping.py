"""HDR becomes what FFmpeg's own conversion makes of it, but for highlights, which stay in sight."""

import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc

from tests.support.portrait_scene import portrait_scene
from tracker.video.frame_pixels import FramePixels
from tracker.video.tone_mapping import Light, light_of, light_to_pq, stated_peak, to_bt709
from tracker.video.video_reader import VideoReader

TRANSFERS = {
    Light.PQ: ColorTrc.SMPTE2084,
    Light.HLG: ColorTrc.ARIB_STD_B67,
    Light.SDR: ColorTrc.BT709,
}
# BT.709's linear colours in those of BT.2020: BT.2087, table 2.
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def frame_of(colours: np.ndarray, light: Light, primaries: int = 9) -> av.VideoFrame:
    """Colours [N, 3] in 0..1 as a frame of one line, 16 bits."""
    image = np.round(colours * 65535).astype(np.uint16)[None]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb48le")
    frame.color_trc, frame.color_primaries, frame.color_range = TRANSFERS[light], primaries, 2
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


def mild_colours(light: Light) -> np.ndarray:
    """Within BT.709 and under the curve's knee: nothing of them is cut off or taken back."""
    rng = np.random.default_rng(0)
    grey = rng.uniform(0.1, {Light.PQ: 0.44, Light.HLG: 0.5, Light.SDR: 0.9}[light], (256, 1))
    return np.asarray(grey * (1 + rng.uniform(-0.04, 0.04, (256, 3))))


# What FFmpeg 8.1 makes of colours under the curve's knee: VideoReformatter().reformat(frame,
# dst_color_trc=ColorTrc.BT709, dst_color_primaries=ColorPrimaries.BT709), which takes it seconds.
FFMPEG = {
    Light.PQ: [
        ((0.10, 0.10, 0.10), (0.0685, 0.0685, 0.0685)),
        ((0.20, 0.20, 0.20), (0.1582, 0.1582, 0.1582)),
        ((0.40, 0.40, 0.40), (0.4659, 0.4660, 0.4660)),
        ((0.42, 0.38, 0.36), (0.5583, 0.4127, 0.3792)),
        ((0.30, 0.33, 0.36), (0.2399, 0.3382, 0.3925)),
        ((0.25, 0.30, 0.22), (0.1564, 0.2935, 0.1631)),
    ],
    Light.HLG: [
        ((0.10, 0.10, 0.10), (0.1122, 0.1122, 0.1122)),
        ((0.30, 0.30, 0.30), (0.3366, 0.3366, 0.3366)),
        ((0.50, 0.50, 0.50), (0.5610, 0.5610, 0.5610)),
        ((0.50, 0.42, 0.38), (0.5933, 0.4648, 0.4304)),
        ((0.30, 0.36, 0.42), (0.2922, 0.4077, 0.4636)),
        ((0.30, 0.40, 0.30), (0.2700, 0.4537, 0.3370)),
    ],
}


@pytest.mark.parametrize("light", [Light.PQ, Light.HLG])
def test_as_ffmpeg_converts(light: Light) -> None:
    signal, wanted = map(np.array, zip(*FFMPEG[light], strict=True))
    got = to_bt709(signal, light, ColorPrimaries.BT2020)
    np.testing.assert_allclose(got, wanted, atol=0.002)


@pytest.mark.parametrize("light", list(Light))
def test_frames_get_what_the_formulas_say(light: Light) -> None:
    colours = mild_colours(light)
    got = FramePixels(256, 1)(frame_of(colours, light))[0]
    wanted = 255 * to_bt709(colours, light, ColorPrimaries.BT2020)
    assert np.abs(got - wanted).max() < 1.6
    assert np.abs(255 * colours - wanted).max() > 4


@pytest.mark.parametrize("peak", [203.0, 600.0, 1000.0, 4000.0])
def test_highlights_stay_apart_and_grey_stays_grey(peak: float) -> None:
    light = np.geomspace(0.1, peak, 200)
    grey = np.repeat(light_to_pq(light)[:, None], 3, axis=1)
    shown = to_bt709(grey, Light.PQ, ColorPrimaries.BT2020, peak)
    np.testing.assert_allclose(shown, shown[:, :1] * [1, 1, 1], atol=1e-6)
    assert (np.diff(shown[:, 0]) > 0).all()
    assert shown[-1, 0] == pytest.approx(1, abs=1e-6)
    dark = light < 20
    np.testing.assert_allclose(shown[dark, 0], (light[dark] / 203) ** (1 / 2.4), rtol=1e-6)


def test_hlg_white_is_that_of_pq() -> None:
    # BT.2408: 75 % of HLG and 58 % of PQ are the same 203 cd/m2.
    white = np.array([[0.75] * 3, [0.58] * 3])
    hlg = to_bt709(white[:1], Light.HLG, ColorPrimaries.BT2020)
    pq = to_bt709(white[1:], Light.PQ, ColorPrimaries.BT2020)
    np.testing.assert_allclose(hlg, pq, atol=0.003)
    assert 0.85 < hlg.min() < 0.95


@pytest.mark.parametrize(
    ("trc", "primaries", "found"),
    [
        (ColorTrc.BT709, ColorPrimaries.BT709, None),
        (ColorTrc.UNSPECIFIED, ColorPrimaries.UNSPECIFIED, None),
        (ColorTrc.BT709, ColorPrimaries.SMPTE170M, None),
        (ColorTrc.BT2020_10, ColorPrimaries.BT2020, (Light.SDR, ColorPrimaries.BT2020)),
        (ColorTrc.BT709, ColorPrimaries.SMPTE432, (Light.SDR, ColorPrimaries.SMPTE432)),
        (ColorTrc.SMPTE2084, ColorPrimaries.UNSPECIFIED, (Light.PQ, ColorPrimaries.BT2020)),
        (ColorTrc.SMPTE2084, ColorPrimaries.SMPTE432, (Light.PQ, ColorPrimaries.SMPTE432)),
        (ColorTrc.ARIB_STD_B67, ColorPrimaries.BT709, (Light.HLG, ColorPrimaries.BT709)),
    ],
)
def test_what_has_to_be_done(trc: int, primaries: int, found: object) -> None:
    frame: Any = SimpleNamespace(color_trc=int(trc), color_primaries=int(primaries))
    assert light_of(frame) == found


def test_the_peak_that_a_file_states() -> None:
    def stating(**data: bytes) -> float:
        frame: Any = SimpleNamespace(side_data=data)
        return stated_peak(frame)

    screen = struct.pack("20i2i", *([1] * 18), 40_000_000, 10_000, 1, 1)
    assert stating() == 1000
    assert stating(CONTENT_LIGHT_LEVEL=struct.pack("2I", 0, 0)) == 1000
    assert stating(CONTENT_LIGHT_LEVEL=struct.pack("2I", 1600, 400)) == 1600
    assert stating(CONTENT_LIGHT_LEVEL=struct.pack("2I", 90, 40)) == 203
    assert stating(MASTERING_DISPLAY_METADATA=screen) == 4000
    assert stating(MASTERING_DISPLAY_METADATA=bytes(88)) == 1000


def hdr_clip(path: Path, picture: np.ndarray, light: Light, white: float) -> None:
    """A BT.709 picture stored as HDR, its white at so many cd/m2, 10 bits of H.264."""
    linear = white * (picture / 255) ** 2.4 @ TO_2020.T
    if light is Light.PQ:
        signal = light_to_pq(linear)
    else:
        # BT.2100: the screen's gamma taken back, then the curve.
        luminance = np.maximum(linear @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None] / 1000
        scene = linear / 1000 * luminance ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    image = np.round(np.clip(signal, 0, 1) * 65535).astype(np.uint16)
    with av.open(str(path), "w") as container:
        # Not libx265: of a clip of two frames it gives out decoding times by chance.
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "6"})
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = TRANSFERS[light], ColorPrimaries.BT2020
        context.colorspace, context.color_range = 9, 1
        for index in range(2):
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le").reformat(
                format="yuv420p10le", dst_colorspace="BT2020", dst_color_range="MPEG"
            )
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("light", [Light.PQ, Light.HLG])
def test_a_file_shows_the_picture_that_was_filmed(tmp_path: Path, light: Light) -> None:
    picture = portrait_scene(120, 320, 240)[0]
    hdr_clip(tmp_path / "hdr.mp4", picture, light, white=203)
    with VideoReader(tmp_path / "hdr.mp4") as video:
        image = next(iter(video)).image.astype(float)
        assert video.notes == (f"HDR ({light.value}, BT.2020) tone-mapped to BT.709",)
    # What is darker than the knee is as it was; brighter, a little darker, in the same order.
    dark = picture.max(axis=-1) < 150
    assert np.abs(image - picture)[dark].mean() < 2.5
    bright = picture.min(axis=-1) > 200
    assert 4 < (picture - image)[bright].mean() < 30
