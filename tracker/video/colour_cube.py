"""Frames of HDR or wide colours turned into BT.709, by a cube of colours and FFmpeg's `lut3d`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, Colorspace

from tracker.video.frame_source import CLOCK
from tracker.video.tone_mapping import Light, stated_peak, to_bt709

# Colours along each axis of the cube: interpolated between them, colours that the smaller gamut has
# are off by half an 8-bit number on average.
_SIDE = 33
# Planar, 16 bits: what the filter is fastest in.
_FORMAT = "gbrp16le"
# Colour matrix "unknown" in the H.264 standard's table.
UNSPECIFIED = 2


class ColourCube:
    """Turns the colours of one stream's frames, for one size and one meaning of the numbers.

    Args:
        frame: the first frame; says size and brightest highlight.
        light: how the stored numbers mean light.
        primaries: what red, green and blue are.
    """

    def __init__(self, frame: VideoFrame, light: Light, primaries: ColorPrimaries) -> None:
        self.size = frame.width, frame.height
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=VideoFormat(_FORMAT),
            time_base=frame.time_base or CLOCK,
        )
        with TemporaryDirectory(prefix="propnet-") as folder:
            cube = Path(folder) / "colours.cube"
            cube.write_text(_cube(light, primaries, stated_peak(frame)), encoding="ascii")
            lut = self._graph.add("lut3d", file=str(cube), interp="tetrahedral")
        self._graph.link_nodes(source, lut, self._graph.add("buffersink")).configure()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame in BT.709, planar RGB of 16 bits."""
        matrix = Colorspace.BT2020 if frame.colorspace == UNSPECIFIED else None
        self._graph.push(frame.reformat(format=_FORMAT, src_colorspace=matrix))
        turned = self._graph.pull()
        assert isinstance(turned, VideoFrame)
        return turned


def _cube(light: Light, primaries: ColorPrimaries, peak: float) -> str:
    """The text of a .cube file; red changes fastest."""
    axis = np.linspace(0, 1, _SIDE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    colours = to_bt709(np.stack([red, green, blue], -1).reshape(-1, 3), light, primaries, peak)
    lines = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in colours)
    return f"LUT_3D_SIZE {_SIDE}\n{lines}\n"
