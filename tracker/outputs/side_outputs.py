"""What a run makes besides video, table and preview: crops, messages to programs, a web page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from model.markup import Markup
from tracker.measures.intrinsics import Intrinsics
from tracker.outputs import openseeface, osc
from tracker.outputs.aligned_crops import CROP_SIZE, CropWriter
from tracker.outputs.openseeface import OpenSeeSender
from tracker.outputs.osc import OscSender
from tracker.outputs.output import Output
from tracker.outputs.udp import UdpSender
from tracker.outputs.web_page import LivePage
from tracker.system.network_address import Address, parse_address


@dataclass(frozen=True)
class SideOutputs:
    """What to make besides video, table and preview.

    Attributes:
        crops: folder for aligned crops, or None.
        crop_size: their side, pixels.
        opensee: where to send OpenSeeFace's packets, or None.
        osc: where to send OSC messages, or None.
        serve: where to serve the web page, or None.
    """

    crops: Path | None = None
    crop_size: int = CROP_SIZE
    opensee: Address | None = None
    osc: Address | None = None
    serve: Address | None = None

    @property
    def any(self) -> bool:
        """Whether something is made."""
        return any(item is not None for item in (self.crops, self.opensee, self.osc, self.serve))


def parse_side_outputs(
    *,
    crops: Path | None = None,
    crop_size: int = CROP_SIZE,
    opensee: str | None = None,
    osc_target: str | None = None,
    serve: str | None = None,
) -> SideOutputs:
    """Side outputs from the words of the command line.

    Raises:
        InputError: one of them cannot be understood.
    """
    return SideOutputs(
        crops=crops,
        crop_size=crop_size,
        opensee=parse_address(opensee, openseeface.DEFAULT_PORT) if opensee is not None else None,
        osc=parse_address(osc_target, osc.DEFAULT_PORT) if osc_target is not None else None,
        serve=parse_address(serve) if serve is not None else None,
    )


def open_side_outputs(
    wanted: SideOutputs,
    stack: ExitStack,
    markup: Markup,
    *,
    camera: Callable[[int, int], Intrinsics],
    layers: frozenset[str],
    title: str,
    say: Callable[[str], object],
    overwrite: bool = False,
) -> list[Output]:
    """Open what is wanted.

    Args:
        wanted: what is wanted.
        stack: closes it all.
        markup: of the landmarks.
        camera: gives the camera for a width and a height in pixels.
        layers: what is drawn on the web page.
        title: of the web page.
        say: told where the web page is and who can see it.
        overwrite: replace existing crops.

    Raises:
        InputError: something cannot be opened.
    """
    outputs: list[Output] = []
    if wanted.crops is not None:
        writer = CropWriter(wanted.crops, markup, size=wanted.crop_size, overwrite=overwrite)
        outputs.append(stack.enter_context(writer))
    if wanted.opensee is not None:
        sender = stack.enter_context(UdpSender(wanted.opensee))
        outputs.append(stack.enter_context(OpenSeeSender(sender, markup, camera)))
    if wanted.osc is not None:
        sender = stack.enter_context(UdpSender(wanted.osc))
        outputs.append(stack.enter_context(OscSender(sender)))
    if wanted.serve is not None:
        page = stack.enter_context(LivePage(wanted.serve, title, layers))
        say(f"live picture: {page.url}")
        if page.warning:
            say(f"warning: {page.warning}")
        outputs.append(page)
    return outputs
