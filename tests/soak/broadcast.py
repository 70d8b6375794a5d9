"""The sender: two people before a camera that comes, goes, cuts and changes its size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support.two_faces import HEIGHT, WIDTH, Place, background, compose

RATE = 10  # frames per second: other work goes on meanwhile
ROUND = 30.0  # seconds of one round of what happens
# Longer than the receiver waits for a frame (5 s), so that it hangs up and calls again.
SILENCE = 7.0
_ROUNDS = 6  # with one connection
_SIZES = ((WIDTH, HEIGHT), (WIDTH * 3 // 4, HEIGHT * 3 // 4))
# Until when, seconds in the round, which of the two are there. Nobody is, for longer than a face is
# remembered; then there is a cut; at last one leaves through the edge of the picture.
_SCENES = ((6, {0}), (10, set()), (14, {1}), (18, {0}), (26, {0, 1}), (ROUND, set()))
_LEAVES = 23.0
_HEADS = (0.9, 1.0)  # zoom of the portrait's head: faces of some 100 pixels
Heads = list[tuple[int, Place, float]]
Rounds = list[list[NDArray[np.uint8]]]  # of each size, coded pictures in their order


def heads_at(seconds: float) -> Heads:
    """Who is where in a round. The first person stays in the left half, the second in the right.

    Args:
        seconds: since the begin of the round, 0..`ROUND`.

    Returns:
        As `tests.support.two_faces.compose` takes them.
    """
    sway = 12 * np.sin(2 * np.pi * seconds / 2.5)
    left: Place = WIDTH * 0.25 + sway, HEIGHT * 0.5
    right: Place = WIDTH * 0.75, HEIGHT * 0.5 + sway
    if seconds > _LEAVES:
        right = WIDTH * (0.75 + 0.15 * (seconds - _LEAVES)), HEIGHT * 0.5
    heads = [(0, left, _HEADS[0]), (1, right, _HEADS[1])]
    shown = next(people for until, people in _SCENES if seconds < until)
    return [head for head in heads if head[0] in shown]


def draw_rounds() -> Rounds:
    """A round of each size, as JPEG: sending costs little beside what is measured."""
    scene = background()
    heads = [heads_at(index / RATE) for index in range(round(ROUND * RATE))]
    images = [compose(scene, one) for one in heads]
    return [[_coded(cv2.resize(image, size)) for image in images] for size in _SIZES]


def play(target: str, rounds: Rounds, seconds: float) -> None:
    """Send the rounds in real time, in a connection after the other.

    Args:
        target: address of MPEG transport stream over UDP.
        rounds: from `draw_rounds`.
        seconds: in all.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _connection(target, rounds, end)
        time.sleep(SILENCE)


def _coded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    return np.asarray(cv2.imencode(".jpg", image[..., ::-1], quality)[1], dtype=np.uint8)


def _connection(target: str, rounds: Rounds, end: float) -> None:
    begin = time.monotonic()
    with av.open(f"{target}?pkt_size=1316", "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *_SIZES[0], "yuv420p"
        count = 0
        for number in range(_ROUNDS):
            # An encoder of its own for each size: the transport stream carries what it makes.
            encoder = _encoder(_SIZES[number % len(_SIZES)])
            for packet in _packets(encoder, rounds[number % len(rounds)], count):
                packet.stream = stream
                container.mux(packet)
                count += 1
                time.sleep(max(begin + count / RATE - time.monotonic(), 0))
                if time.monotonic() > end:
                    return


def _encoder(size: tuple[int, int]) -> av.VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base, context.framerate = Fraction(1, RATE), Fraction(RATE)
    context.options = {"tune": "zerolatency", "preset": "ultrafast", "g": str(RATE), "crf": "18"}
    return context


def _packets(
    encoder: av.VideoCodecContext, coded: list[NDArray[np.uint8]], first: int
) -> Iterator[av.Packet]:
    for index, jpeg in enumerate(coded):
        image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        frame = av.VideoFrame.from_ndarray(np.asarray(image, dtype=np.uint8), format="bgr24")
        frame.pts, frame.time_base = first + index, Fraction(1, RATE)
        yield from encoder.encode(frame)
