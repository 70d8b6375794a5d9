"""What the installed PyAV can read and write of what videos come in."""

from __future__ import annotations

from typing import Literal

from tracker.doctor.row import Row, Status

Mode = Literal["r", "w"]

# FFmpeg's names of what files and streams hold; the first five and AV1 are what nearly all do.
_DECODED = ("h264", "hevc", "vp9", "mpeg4", "mjpeg", "vp8", "mpeg2video", "prores")
_HEARD = ("aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le")
_VITAL = ("h264",)
# FFmpeg's own decoder of AV1 needs a graphics card that does the work.
_AV1 = ("libdav1d", "libaom-av1")


def codecs() -> list[Row]:
    """Decoders and encoders, by FFmpeg's names."""
    # Its libraries may not load.
    from av import __version__, library_versions  # noqa: PLC0415

    from tracker.video.codec import CODECS  # noqa: PLC0415
    from tracker.video.sound_encoder import ENCODERS  # noqa: PLC0415

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, version))}" for name, version in library_versions.items()
    )
    video = {name: codec.encoder for name, codec in CODECS.items()}
    sound = {title.lower(): encoder for title, encoder in ENCODERS.items()}
    return [
        Row("PyAV", f"{__version__}, FFmpeg's {libraries}"),
        *(_row(f"read {name}", name, "r", name in _VITAL) for name in (*_DECODED, *_HEARD)),
        _av1(),
        *(_row(f"write {name}", encoder, "w", False) for name, encoder in (video | sound).items()),
    ]


def _row(name: str, codec: str, mode: Mode, vital: bool) -> Row:
    if _has(codec, mode):
        return Row(name, codec)
    status: Status = "failed" if vital else "absent"
    return Row(name, "not in this build", status)


def _av1() -> Row:
    found = next((name for name in _AV1 if _has(name, "r")), None)
    return Row("read av1", found) if found else Row("read av1", "not in this build", "absent")


def _has(codec: str, mode: Mode) -> bool:
    import av  # noqa: PLC0415

    try:
        return av.Codec(codec, mode).name is not None
    except ValueError:  # PyAV's UnknownCodecError
        return False
