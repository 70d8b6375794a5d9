"""What a run makes besides video, table and preview: crops, messages to programs, a web page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from model.errors import InputError
from model.markup import Markup
from tracker.measures.intrinsics import Intrinsics, parse_intrinsics
from tracker.measures.measured_frame import Deriver, MeasuredFrame
from tracker.outputs import openseeface, osc
from tracker.outputs.aligned_crops import CROP_SIZE, CropWriter
from tracker.outputs.openseeface import OpenSeeSender
from tracker.outputs.osc import OscSender
from tracker.outputs.udp import UdpSender
from tracker.outputs.web_page import LivePage
from tracker.system.network_address import Address, parse_address


class FrameSink(Protocol):
    """Something that takes every measured frame."""

    def write(self, frame: MeasuredFrame) -> None:
        """Take the next frame."""


@dataclass(frozen=True)
class Extras:
    """What to make besides video, table and preview.

    Attributes:
        scores: whether tables have the score of every landmark.
        crops: folder for aligned crops, or None.
        crop_size: their side, pixels.
        opensee: where to send OpenSeeFace's packets, or None.
        osc: where to send OSC messages, or None.
        serve: where to serve the web page, or None.
        camera: intrinsics for the head pose, or None.
        fov: field of view to assume without them, degrees, or None for the default.
    """

    scores: bool = False
    crops: Path | None = None
    crop_size: int = CROP_SIZE
    opensee: Address | None = None
    osc: Address | None = None
    serve: Address | None = None
    camera: Intrinsics | None = None
    fov: float | None = None

    def __post_init__(self) -> None:
        if self.camera is not None and self.fov is not None:
            raise InputError("--intrinsics and --fov say the same thing: give one of them.")
        if self.fov is not None:
            Intrinsics.from_fov(2, 2, self.fov)  # says what is wrong with it

    @property
    def any_output(self) -> bool:
        """Whether something is made."""
        return any(item is not None for item in (self.crops, self.opensee, self.osc, self.serve))


def parse_extras(
    *,
    scores: bool = False,
    crops: Path | None = None,
    crop_size: int = CROP_SIZE,
    opensee: str | None = None,
    osc_target: str | None = None,
    serve: str | None = None,
    intrinsics: str | None = None,
    fov: float | None = None,
) -> Extras:
    """Extras from the words of the command line.

    Raises:
        InputError: one of them cannot be understood.
    """
    return Extras(
        scores=scores,
        crops=crops,
        crop_size=crop_size,
        opensee=parse_address(opensee, openseeface.DEFAULT_PORT) if opensee is not None else None,
        osc=parse_address(osc_target, osc.DEFAULT_PORT) if osc_target is not None else None,
        serve=parse_address(serve) if serve is not None else None,
        camera=parse_intrinsics(intrinsics) if intrinsics is not None else None,
        fov=fov,
    )


class OpenExtras(NamedTuple):
    """Extras at work.

    Attributes:
        derive: measures the faces for all of them.
        sinks: crops and senders.
        page: web page, or None.
    """

    derive: Deriver
    sinks: Sequence[FrameSink]
    page: LivePage | None


def open_extras(
    extras: Extras,
    stack: ExitStack,
    markup: Markup,
    *,
    title: str,
    say: Callable[[str], object],
    overwrite: bool = False,
) -> OpenExtras:
    """Open what is wanted.

    Args:
        extras: what is wanted.
        stack: closes it all.
        markup: of the landmarks.
        title: of the web page.
        say: told where the web page is and who can see it.
        overwrite: replace existing crops.

    Raises:
        InputError: something cannot be opened.
    """
    derive = Deriver(markup.name, extras.camera, extras.fov)
    sinks: list[FrameSink] = []
    if extras.crops is not None:
        sinks.append(CropWriter(extras.crops, markup, size=extras.crop_size, overwrite=overwrite))
    if extras.opensee is not None:
        sender = stack.enter_context(UdpSender(extras.opensee))
        sinks.append(OpenSeeSender(sender, markup.name, derive.camera))
    if extras.osc is not None:
        sinks.append(OscSender(stack.enter_context(UdpSender(extras.osc))))
    page = None
    if extras.serve is not None:
        page = stack.enter_context(LivePage(extras.serve, title))
        say(f"live picture: {page.url}")
        if page.warning:
            say(f"warning: {page.warning}")
    return OpenExtras(derive, sinks, page)
