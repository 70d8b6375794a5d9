"""Is a time that does not follow its predecessor a slip of one packet, or a clock set anew?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from fractions import Fraction
from itertools import pairwise

# Formats whose clock may be set anew (transport streams) may also jump ahead; less is a pause.
# FFmpeg draws the same line.
_JUMP = 10
# Steps between two frames that leave room for one more.
_ROOM = Fraction(3, 2)
# What is looked at after a strange time, frames or packets.
LOOK_AHEAD = 4


class Verdict(Enum):
    """What a time is."""

    FITS = "it follows its predecessor"
    SLIP = "it is not later than its predecessor, by less than one step"
    STRAY = "it is off, and the times after it are not"
    RESET = "the clock goes on from here"


def judge(
    time: Fraction,
    last: Fraction,
    step: Fraction,
    following: Callable[[], Sequence[Fraction]],
    *,
    jumps: bool,
) -> Verdict:
    """Judge a time by what comes before and after it.

    Args:
        time: to be judged, seconds.
        last: its predecessor.
        step: how long the predecessor lasts.
        following: gives the next `LOOK_AHEAD` times (less at the end); asked only if need be.
        jumps: whether the clock may also jump ahead, see `is_resettable`.
    """
    back = last - time
    if 0 <= back < step:
        return Verdict.SLIP
    if back >= step:
        times = [time, *following()]
        steps = [after - before for before, after in pairwise(times)]
        # Coming back to the old clock takes one step that is larger than the whole way back.
        return Verdict.RESET if all(0 < s <= back for s in steps) else Verdict.STRAY
    ahead = time - last
    if ahead > _ROOM * step and [*following()][:1] == [time]:
        # In program streams FFmpeg gives the time of a packet to the frame before it as well, where
        # that ends with the packet before.
        return Verdict.STRAY
    if ahead <= 2 * step:
        return Verdict.FITS
    if any(last < after < time for after in following()):
        return Verdict.STRAY
    return Verdict.RESET if jumps and ahead > _JUMP else Verdict.FITS
