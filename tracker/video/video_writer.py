"""Write an annotated video: every frame at its real time, the sound kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from model.errors import InputError
from tracker.system.closing import Committing
from tracker.system.output_file import OutputFile
from tracker.video.audio_copy import AudioCopy
from tracker.video.codec import VIDEO_SUFFIXES, Codec, check_crf, check_encoder, choose_codec
from tracker.video.frame_source import CLOCK, VideoInfo

# Clocks finer than a microsecond do not fit MP4's 32-bit time scale once multiplied.
_FINEST = Fraction(1, 1_000_000)
_HD_LINES = 720
_BY_DECODING = (".mp4", ".mov", ".m4v")


class VideoWriter(Committing):
    """A video being written. A context manager: an exception in its block leaves no file.

    Frames keep their timestamps, in ticks of the source's clock, so a variable frame rate stays
    variable and 24000/1001 stays exact. Sound is copied from a file, interleaved as frames arrive.
    Odd sizes get one column or row more, a copy of the last one: 4:2:0 colour is stored for blocks
    of 2 x 2 pixels. Frames that were enlarged to square pixels (`VideoInfo.stored`) are stored in
    the source's own size and shape of pixels, so players show them as they were given. The file has
    a temporary name until it is complete.

    Args:
        path: output, one of `VIDEO_SUFFIXES`.
        info: size, rate and clock of the frames; describes the source.
        audio_from: file whose main audio stream to keep; None for a silent video.
        crf: quality as the codec counts it (`Codec.crf_range`); None for `Codec.crf`.
        codec: one of `tracker.video.codec.CODEC_NAMES`.
        overwrite: replace an existing file.

    Raises:
        InputError: the output cannot be written (see `OutputFile`), `crf` is out of range, or there
            is no such codec, not in this container, or no encoder for it or for pictures like
            these.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        audio_from: Path | None = None,
        crf: int | None = None,
        *,
        codec: str = "auto",
        overwrite: bool = False,
    ) -> None:
        chosen = None
        suffix = Path(path).suffix.lower()
        if suffix in VIDEO_SUFFIXES:  # other names are refused below
            chosen = choose_codec(codec, suffix)
            check_crf(chosen, chosen.crf if crf is None else crf)
            check_encoder(chosen)
        self._file = OutputFile(path, VIDEO_SUFFIXES, overwrite=overwrite, source=info.path)
        self._info = info
        self._base = max(info.time_base, _FINEST) if info.time_base else CLOCK
        self._last: int | None = None
        self._delay: int | None = None
        self._step = round(1 / (info.rate or 25) / self._base) or 1
        self._audio: AudioCopy | None = None
        self._keep_tail = True
        self._finished = False
        assert chosen is not None
        # The index at the front lets a browser play the file while it loads.
        options = {} if suffix in (".mkv", ".webm") else {"movflags": "+faststart"}
        try:
            # "file:" keeps a colon in the name from being read as a protocol.
            self._container = av.open(f"file:{self._file.partial}", "w", options=options)
            self._stream = self._add_video(chosen, chosen.crf if crf is None else crf, suffix)
            if audio_from is not None:
                self._audio = AudioCopy(audio_from, self._container, suffix, info.timeline)
        except BaseException:
            self.abort()
            raise

    def _add_video(self, codec: Codec, crf: int, suffix: str) -> VideoStream:
        rate = self._info.rate or Fraction(25)
        if codec.fastest is not None and rate > codec.fastest:
            rate = Fraction(codec.fastest)  # a hint; the frames have times of their own
        stream = self._container.add_stream(
            codec.encoder,
            rate=rate,
            options={"crf": str(crf), **codec.options},
        )
        assert isinstance(stream, VideoStream)
        width, height = self._info.stored_size
        stream.width = width + width % 2
        stream.height = height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = self._base
        stream.codec_context.sample_aspect_ratio = self._info.pixel_aspect
        # Players guess an untagged matrix from the size, each in its own way: say which one it is.
        self._matrix = Colorspace.ITU709 if stream.height >= _HD_LINES else Colorspace.ITU601
        stream.codec_context.colorspace = self._matrix
        stream.codec_context.color_range = ColorRange.MPEG
        if suffix in codec.tags:
            stream.codec_context.codec_tag = codec.tags[suffix]
        try:
            stream.codec_context.open()
        except (av.FFmpegError, OSError) as error:
            raise InputError(
                f"{self._file.path}: {codec.encoder} encodes no pictures of {stream.width}x"
                f"{stream.height} at {float(rate):g} frames/s; use another --codec."
            ) from error
        return stream

    def write(self, image: NDArray[np.uint8], timestamp: float) -> None:
        """Add a frame.

        Args:
            image: [height, width, 3], uint8, RGB, of the size in `info`.
            timestamp: seconds, growing from frame to frame.

        Raises:
            InputError: the disk is full or the file has become unwritable.
        """
        height, width = image.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise ValueError(
                f"frame of {width}x{height} in a video of {self._info.width}x{self._info.height}"
            )
        if self._info.stored is not None:
            width, height = self._info.stored
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
        if width % 2 or height % 2:
            image = np.asarray(
                cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE),
                dtype=np.uint8,
            )
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
            format="yuv420p", dst_colorspace=self._matrix, dst_color_range=ColorRange.MPEG
        )
        ticks = round(Fraction(timestamp) / self._base)
        if self._last is not None:
            ticks = max(ticks, self._last + 1)
            self._step = ticks - self._last
        frame.pts, frame.time_base = ticks, self._base
        self._last = ticks
        try:
            self._container.mux(self._encode(frame))
            self._add_audio(float(ticks * self._base))
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def cut_audio(self) -> None:
        """End the sound with the last frame: for a source that was not read to its end."""
        self._keep_tail = False

    def close(self) -> None:
        """Complete the file and give it its name. A second call does nothing.

        Raises:
            InputError: no frame was written, or the file cannot be completed.
        """
        if self._finished:
            return
        self._finished = True
        if self._last is None:
            self.abort()
            raise InputError(f"{self._file.path} was not written: there was no frame to write.")
        try:
            self._container.mux(self._last_packets())
            end = None if self._keep_tail else float((self._last + self._step) * self._base)
            self._add_audio(end)
            self._container.close()
            self._file.commit()
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise self._failure(error) from error
        except BaseException:
            self.abort()
            raise
        if self._audio is not None:
            self._audio.close()

    def abort(self) -> None:
        """Give up: remove what was written."""
        self._finished = True
        if self._audio is not None:
            self._audio.close()
        try:
            if hasattr(self, "_container"):
                self._container.close()
        except (av.FFmpegError, OSError, ValueError):
            pass  # an unfinished container cannot always be closed; its file goes anyway
        finally:
            self._file.discard()

    def _add_audio(self, seconds: float | None) -> None:
        if self._audio is not None:
            for packet in self._audio.until(seconds):
                self._container.mux(packet)

    def _encode(self, frame: VideoFrame | None) -> list[Packet]:
        packets = list(self._stream.encode(frame))
        if self._delay is None and packets:
            shown = [packet.pts for packet in packets]
            if frame is None and shown == sorted(shown, key=lambda pts: pts or 0):
                # The whole of a short clip. libx265 leaves the times of decoding of one or two
                # frames to chance; without reordering they are those of showing.
                for packet in packets:
                    packet.dts = packet.pts
            # Packets come in the order of decoding, which begins before the first frame is shown.
            first = packets[0]
            self._delay = (first.pts or 0) - (first.dts or 0)
        return packets

    def _last_packets(self) -> list[Packet]:
        """The rest of the video, its last frame with its length, which no successor tells."""
        packets = self._encode(None)
        end = self._info.timeline.end if self._keep_tail else None
        if end is None or self._last is None or not packets:
            return packets
        stop = max(round(Fraction(end) / self._base), self._last + 1)
        for packet in packets:
            if packet.pts == self._last:
                packet.duration = stop - self._last
        if self._file.path.suffix.lower() in _BY_DECODING and packets[-1].dts is not None:
            # These add up times of decoding: the last packet to be decoded ends the video.
            packets[-1].duration = max(stop - (self._delay or 0) - packets[-1].dts, 1)
        return packets

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the sound, if it was not copied as it is."""
        return self._audio.notes if self._audio is not None else ()

    def _failure(self, error: OSError | av.FFmpegError) -> InputError:
        return InputError(f"{self._file.path} cannot be written on: {error.strerror}.")
