"""Video codecs: which containers hold them, who encodes them, and how their quality is counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import av

from model.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v", ".webm")


@dataclass(frozen=True)
class Codec:
    """One way to store video.

    Attributes:
        title: for people.
        encoder: FFmpeg's name of it.
        options: of the encoder: encoding shares the processor with the network, so fast ones.
        suffixes: containers in which players open it, `VIDEO_SUFFIXES`' order.
        crf: the quality used if none is asked for. Thin lines on faces are what compression blurs
            first, so it is on the good side of the encoders' own defaults.
        crf_range: the best and the worst quality.
        fastest: frames per second that encoders accept, None for any.
        tags: container -> name that the codec has to have in it.
    """

    title: str
    encoder: str
    options: dict[str, str]
    suffixes: tuple[str, ...]
    crf: int
    crf_range: tuple[int, int]
    fastest: int | None = None
    tags: dict[str, str] = field(default_factory=dict)


# The default qualities look alike: 36 dB on 90 annotated frames of the portrait clip, in 422 kB
# (H.264), 389 (HEVC) and 438 (AV1), for 9, 24 and 10 ms of processor time a frame.
CODECS: dict[str, Codec] = {
    # "veryfast" takes half the time of x264's default (6.5 against 15 ms of one core per 512 x 512
    # frame) for the same size and 0.4 dB less. Coarser sub-pixel motion on top takes a third less
    # again (2.9 against 4.4 ms at 480 x 480) for 7 % more bytes and 0.3 dB less.
    "h264": Codec(
        "H.264",
        "libx264",
        {"preset": "veryfast", "x264-params": "subme=1"},
        (".mp4", ".mov", ".mkv", ".m4v"),
        crf=18,
        crf_range=(0, 51),
    ),
    "hevc": Codec(
        "HEVC",
        "libx265",
        {"preset": "superfast", "x265-params": "log-level=none"},
        (".mp4", ".mov", ".mkv"),
        crf=18,
        crf_range=(0, 51),
        # The tag without which Apple's players do not open it.
        tags={".mp4": "hvc1", ".mov": "hvc1"},
    ),
    "av1": Codec(
        "AV1",
        "libsvtav1",
        {"preset": "10"},
        (".mp4", ".mkv", ".webm"),
        crf=24,
        crf_range=(1, 63),
        fastest=240,
    ),
}
CODEC_NAMES = ("auto", *CODECS)


def choose_codec(name: str, suffix: str) -> Codec:
    """The codec that a name means in a container.

    Args:
        name: one of `CODEC_NAMES`; "auto" is H.264, which plays everywhere, or what the container
            holds instead.
        suffix: one of `VIDEO_SUFFIXES`.

    Raises:
        InputError: no such codec, or the container does not hold it.
    """
    check_codec(name)
    holding = [codec for codec, about in CODECS.items() if suffix in about.suffixes]
    if name != "auto" and name not in holding:
        raise InputError(
            f"a {suffix} file cannot hold {CODECS[name].title}: name the output "
            f"{' or '.join(CODECS[name].suffixes)}, or use --codec {' or '.join(holding)}."
        )
    return CODECS[holding[0] if name == "auto" else name]


def check_codec(name: str, crf: int | None = None) -> None:
    """Look at what was asked for, before there is a file.

    Args:
        name: one of `CODEC_NAMES`.
        crf: quality; None for the codec's own.

    Raises:
        InputError: no such codec, or a quality that it does not have.
    """
    if name not in CODEC_NAMES:
        raise InputError(f"no codec '{name}': use one of {', '.join(CODEC_NAMES)}.")
    if name != "auto" and crf is not None:
        check_crf(CODECS[name], crf)


def check_crf(codec: Codec, crf: int) -> None:
    """Look at a quality.

    Raises:
        InputError: the codec does not have it.
    """
    best, worst = codec.crf_range
    if not best <= crf <= worst:
        raise InputError(
            f"--crf {crf} is out of range: {codec.title} has {best} (the best) to {worst}, and "
            f"{codec.crf} looks good."
        )


def check_encoder(codec: Codec) -> None:
    """Make sure that there is an encoder.

    Raises:
        InputError: the installed PyAV has none.
    """
    if _encodes(codec):
        return
    others = [name for name, other in CODECS.items() if _encodes(other)]
    raise InputError(
        f"the installed PyAV (av {av.__version__}) was built without {codec.encoder}, the encoder "
        f"for {codec.title}: "
        + (f"use --codec {' or '.join(others)}, or " if others else "")
        + "install PyPI's build, pip install --force-reinstall --only-binary :all: av."
    )


def _encodes(codec: Codec) -> bool:
    try:
        return bool(av.Codec(codec.encoder, "w").is_encoder)
    except ValueError:  # PyAV's UnknownCodecError
        return False
