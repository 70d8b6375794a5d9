"""Small video files for tests, made with PyAV only (there may be no ffmpeg program)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))  # clockwise from the top left


def picture(width: int = 64, height: int = 48, level: int = 128) -> NDArray[np.uint8]:
    """Grey with four differently coloured quarters of the outer third: shows every orientation."""
    image = np.full((height, width, 3), level, dtype=np.uint8)
    h, w = height // 3, width // 3
    for colour, rows, columns in zip(
        CORNERS,
        (slice(0, h), slice(0, h), slice(height - h, height), slice(height - h, height)),
        (slice(0, w), slice(width - w, width), slice(width - w, width), slice(0, w)),
        strict=True,
    ):
        image[rows, columns] = colour
    return image


def tone(seconds: float, rate: int = 48_000, click: float | None = None) -> NDArray[np.float32]:
    """A soft 440 Hz tone; or silence with a loud burst of 10 ms at `click` seconds."""
    t = np.arange(round(seconds * rate)) / rate
    if click is None:
        return (0.1 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    burst = (t >= click) & (t < click + 0.01)
    return (burst * np.sin(2 * np.pi * 2000 * t)).astype(np.float32)


def make_video(
    path: Path,
    frames: int = 30,
    size: tuple[int, int] = (64, 48),
    *,
    rate: Fraction = Fraction(30),
    times: Sequence[Fraction] | None = None,
    rotation: float | None = None,
    mirror: bool = False,
    audio: tuple[str, NDArray[np.float32]] | None = None,
    options: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    pictures: Sequence[NDArray[np.uint8]] | None = None,
) -> Path:
    """Write `pictures`, or frames whose grey grows by 4, at `times` or at `rate`."""
    width, height = size
    if pictures is not None:
        frames, (height, width) = len(pictures), pictures[0].shape[:2]
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"} | (encoder or {}))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        base = 1 / rate
        if times is not None:
            base = Fraction(1, 90_000)
            stream.codec_context.time_base = base
        if rotation is not None or mirror:
            stream.set_display_rotation(rotation or 0, hflip=mirror)
        sound = container.add_stream(audio[0], rate=48_000) if audio else None
        if sound is not None:
            sound.layout = "mono"
        for index in range(frames):
            drawn = picture(width, height, 60 + 4 * index % 128)
            frame = av.VideoFrame.from_ndarray(pictures[index] if pictures else drawn)
            frame.pts = index if times is None else round(times[index] / base)
            frame.time_base = base
            container.mux(stream.encode(frame))
        if sound is not None and audio is not None:
            write_sound(container, sound, audio[1])
        container.mux(stream.encode(None))
    return path


def encode(
    path: Path,
    images: Sequence[NDArray[np.uint8]],
    *,
    aspect: Fraction = Fraction(1),
    rotation: float = 0,
    rate: Fraction = Fraction(25),
    options: dict[str, str] | None = None,
) -> Path:
    """Write pictures as H.264, with pixels of a shape (width over height) and a rotation."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "4"} | (options or {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image)
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(container: av.container.OutputContainer, stream, samples) -> None:
    form = stream.format.name if stream.format else "fltp"
    resampler = av.AudioResampler(format=form, layout="mono", rate=48_000, frame_size=1024)
    whole = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    whole.rate, whole.pts = 48_000, 0
    for part in (*resampler.resample(whole), *resampler.resample(None)):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def read_sound(path: Path) -> tuple[float, NDArray[np.float32], int]:
    """First presentation time, samples and rate of a file's sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        samples = np.concatenate([np.atleast_2d(frame.to_ndarray())[0] for frame in frames])
        return float(frames[0].pts * frames[0].time_base), samples.astype(np.float32), stream.rate


def cut(source: Path, target: Path, share: float) -> Path:
    """The first `share` of a file's bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def set_block_times(path: Path, kind: str, change: Callable[[int, int], int]) -> Path:
    """Change the times of a short Matroska file's blocks, as no writer would.

    Args:
        path: a file of one cluster.
        kind: "audio" or "video".
        change: gives the time for a number in the file and the time there, both milliseconds.
    """
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        places = [packet.pos for packet in container.demux(stream) if packet.size]
        track = 0x81 + stream.index
    for number, position in enumerate(places):  # track, time (16 bits), flags, frame
        place = data.index(track, position)
        assert place - position < 12  # a header, if it is in a group
        (time,) = struct.unpack_from(">h", data, place + 1)
        struct.pack_into(">h", data, place + 1, change(number, time))
    path.write_bytes(data)
    return path
