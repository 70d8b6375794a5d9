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
# set anew and mean the same; a step back of less that the video does not make is an overlap.
_APART = 3
_OVERLAP = 1


class SoundClock:
    """Turns the times of sound packets into those of the video's clock.

    Repeated packets are left out, packets with a time that cannot be are moved. Where the file's
    clock is set anew, the sound goes on in step with the video.

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
        self._usual = length
        self._jumps = jumps
        self._last: Fraction | None = None
        self._length = length
        self._data = b""

    def mend(self, packets: Iterator[Packet]) -> Iterator[Packet | None]:
        """Give packets their times.

        Args:
            packets: of one stream, as they come, none of them empty.

        Yields:
            The packets; None as long as the next one has to wait for the video (set `now`).
        """
        ahead: deque[Packet] = deque()
        overlap: Fraction | None = None
        while True:
            packet = ahead.popleft() if ahead else next(packets, None)
            if packet is None:
                return
            time = self._stated(packet)
            if overlap is not None and time is not None and time <= overlap:
                self.dropped += 1
                continue
            overlap = None
            if self._last is None:
                self._keep(packet, time or Fraction(0))
                yield packet
                continue
            expected = self._last + self._length
            if time is None:
                self._keep(packet, expected)
                yield packet
                continue

            def following() -> list[Fraction]:
                ahead.extend(islice(packets, LOOK_AHEAD - len(ahead)))
                return [t for p in ahead if (t := self._stated(p)) is not None]

            verdict = judge(time, self._last, self._length, following, jumps=self._jumps)
            if verdict is Verdict.RESET:
                while not self._is_settled(expected):
                    yield None
                backward = time <= self._last
                if not self._follow_video(expected) and not (
                    backward and self._last - time <= _OVERLAP
                ):
                    self._shift += expected - time
                # As long as the sound before the join goes on, that after it has to wait.
                overlap = self._last + self._length / 2
                ahead.appendleft(packet)
                continue
            if verdict is not Verdict.FITS:
                if time == self._last and bytes(packet) == self._data:
                    self.dropped += 1
                    continue
                self.moved += 1
                later = following()
                room = not later or later[0] > expected
                time = expected if room else self._last + _NUDGE
            self._keep(packet, time)
            yield packet

    def _stated(self, packet: Packet) -> Fraction | None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return None if ticks is None else ticks * packet.time_base + self._shift

    def _keep(self, packet: Packet, time: Fraction) -> None:
        base = packet.time_base
        packet.pts = packet.dts = round(time / base)
        self._last = packet.pts * base
        self._length = (packet.duration or 0) * base or self._usual
        self._data = bytes(packet)

    def _is_settled(self, expected: Fraction) -> bool:
        """Whether the video has come so far that its clock must have been set anew as well."""
        return (
            self.now is None
            or self.now > expected + _APART
            or any(join.at >= expected - _APART for join in self._joins[self._used :])
        )

    def _follow_video(self, expected: Fraction) -> bool:
        """Take over the video's shift, if it has one here."""
        for number in range(self._used, len(self._joins)):
            join = self._joins[number]
            if abs(join.at - expected) <= _APART:
                self._used, self._shift = number + 1, join.shift
                return True
        return False
