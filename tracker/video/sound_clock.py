"""When a sound packet is heard: times that always grow, in step with the video's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from av.packet import Packet

from tracker.video.broken_times import LOOK_AHEAD, Verdict, judge
from tracker.video.frame_source import Timeline

# A packet whose time is taken already is put so much after its predecessor, seconds. More than a
# tick of any container.
_NUDGE = Fraction(1, 1000)
# Sound and video of a recording do not end together: so far apart, in seconds, their clocks may be
# set anew and mean the same.
_JOINED = 3
_MEMORY = 64  # packets by which a repeated one is recognised


class SoundClock:
    """Turns the times of sound packets into those of the video's clock.

    Packets with a time that cannot be are moved to where there is room, repeated ones are left out.
    Where the file's clock is set anew, the sound goes on in step with the video.

    Args:
        start: presentation time at which the player's clock shows 0, seconds.
        timeline: of the video, which is being read meanwhile.
        length: of a packet that does not tell its own, seconds.
        jumps: whether the clock of this format may be set forward, too.

    Attributes:
        now: how far the video has come, seconds; None when it has ended.
        moved: packets whose times were mended.
        dropped: packets that were left out: repeated, or heard at the same time as others.
    """

    def __init__(
        self, start: Fraction, timeline: Timeline, length: Fraction, *, jumps: bool
    ) -> None:
        self.now: Fraction | None = Fraction(0)
        self.moved = self.dropped = 0
        self._shift = -start
        self._joins = timeline.joins
        self._used = 0
        self._usual = self._length = length
        self._jumps = jumps
        self._last: Fraction | None = None
        self._data: deque[bytes] = deque(maxlen=_MEMORY)
        self._ahead: deque[Packet] = deque()
        self._packets: Iterator[Packet] = iter(())

    def mend(self, packets: Iterator[Packet]) -> Iterator[Packet | None]:
        """Give packets their times.

        Args:
            packets: of one stream, as they come, none of them empty.

        Yields:
            The packets; None as long as the next one has to wait for the video (set `now`).
        """
        self._packets = packets
        taken: Fraction | None = None  # up to here there is sound, where a clock was set anew
        while (packet := self._take()) is not None:
            time = self._stated(packet)
            if taken is not None and time is not None and time <= taken:
                self.dropped += 1
                continue
            taken = None
            verdict = self._judge(time)
            if verdict is Verdict.RESET and self._last is not None and time is not None:
                while not self._is_settled():
                    yield None
                self._set_anew(packet, time)
                taken = self._last + self._length / 2
                self._ahead.appendleft(packet)
                continue
            place = time if verdict is Verdict.FITS else self._find_room(packet, time)
            if place is None:
                self.dropped += 1
                continue
            self._keep(packet, place)
            yield packet

    def _take(self) -> Packet | None:
        return self._ahead.popleft() if self._ahead else next(self._packets, None)

    def _following(self) -> list[Fraction]:
        self._ahead.extend(islice(self._packets, max(LOOK_AHEAD - len(self._ahead), 0)))
        return [time for p in self._ahead if (time := self._stated(p)) is not None]

    def _stated(self, packet: Packet) -> Fraction | None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return None if ticks is None else ticks * packet.time_base + self._shift

    def _judge(self, time: Fraction | None) -> Verdict:
        if time is None:
            return Verdict.STRAY
        if self._last is not None:
            return judge(time, self._last, self._length, self._following, jumps=self._jumps)
        later = self._following()
        return Verdict.STRAY if later and later[0] < time else Verdict.FITS

    def _find_room(self, packet: Packet, time: Fraction | None) -> Fraction | None:
        """A time for a packet whose own cannot be; None if the packet was there before."""
        later = self._following()
        if self._last is None:
            self.moved += 1
            return later[0] - self._length if later else Fraction(0)
        expected = self._last + self._length
        crowded = bool(later) and self._last < later[0] < expected + self._length / 2
        if crowded and bytes(packet) == self._data[-1]:
            return None
        self.moved += time is not None
        return self._last + min(_NUDGE, self._length / 2) if crowded else expected

    def _keep(self, packet: Packet, time: Fraction) -> None:
        base = packet.time_base
        packet.pts = packet.dts = round(time / base)
        self._last = packet.pts * base
        self._length = (packet.duration or 0) * base or self._usual
        self._data.append(bytes(packet))

    def _is_settled(self) -> bool:
        """Whether the video has come so far that its clock must have been set anew as well."""
        expected = (self._last or 0) + self._length
        return (
            self.now is None
            or self.now > expected + _JOINED
            or any(join.at >= expected - _JOINED for join in self._joins[self._used :])
        )

    def _set_anew(self, packet: Packet, time: Fraction) -> None:
        """Go on in step with the video, or without it, if its clock was not set anew."""
        assert self._last is not None
        expected = self._last + self._length
        for number in range(self._used, len(self._joins)):
            if abs(self._joins[number].at - expected) <= _JOINED:
                self._used, self._shift = number + 1, self._joins[number].shift
                return
        if not self._is_repeated(packet):
            self._shift += expected - time

    def _is_repeated(self, packet: Packet) -> bool:
        """Whether a part of the sound is there twice: these packets have been heard, in this order.

        Silence looks the same everywhere, and proves nothing.
        """
        self._following()
        again, heard = [bytes(p) for p in (packet, *self._ahead)], list(self._data)
        places = range(len(heard) - len(again) + 1)
        return len(set(again)) > 1 and any(again == heard[i : i + len(again)] for i in places)
