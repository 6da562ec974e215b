"""Where on a scale a value is reached, in few trials."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

MOST_TRIALS = 8

STEP = 1 / 64
"""Places tried are multiples of this: the last bit of a logarithm, which machines differ in, must not matter."""

_OVERSHOOT = 1.2
_MOST_CHANGE = 8
_MOST_STAYS = 2
_EDGE = 0.08  # least share of a bracket that a trial cuts off


@dataclass(frozen=True)
class Scale:
    """
    Places from `lowest` to `highest`, along which a value rises by about `slope` a step.

    Attributes:
        lowest, highest: Its ends.
        slope: By how much the value rises, about.
        start: Where to try first.
        bend: Where it rises otherwise than above, so that this is tried before anything below.
    """

    lowest: float
    highest: float
    slope: float
    start: float
    bend: float = -math.inf


@dataclass(frozen=True)
class Goal:
    """
    A range of values.

    Attributes:
        low, high: The range.
        must_exceed: Whether a value below the range is no good at all, so that the highest place must have been tried
            before the search gives up; else one above it is not, and the lowest must.
    """

    low: float
    high: float
    must_exceed: bool

    @property
    def middle(self) -> float:
        """Where a search aims."""
        return self.low + (self.high - self.low) / 2


@dataclass(frozen=True)
class _Point:
    """A place tried, by how much its value exceeds the middle of the goal, and how often it stayed an end since."""

    place: float
    excess: float
    stayed: int = 0


def search(value_at: Callable[[float], float], scale: Scale, goal: Goal) -> None:
    """
    Try places until a value is within the goal, or nothing is left to try.

    By secants; an end of the bracket that has stayed twice counts half as much (as in the Illinois method), and after
    that the bracket is halved: values may rise in steps.

    Args:
        value_at: Tries a place and gives its value, which may be infinite; it is called at most 8 times, and keeps what
            it finds.
        scale: Where to look.
        goal: What to look for.
    """
    below: _Point | None = None
    above: _Point | None = None
    place, slope = scale.start, scale.slope
    for trial in range(1, MOST_TRIALS + 1):
        if trial == MOST_TRIALS and (above if goal.must_exceed else below) is None:
            place = scale.highest if goal.must_exceed else scale.lowest
        value = value_at(place)
        if goal.low <= value <= goal.high:
            return
        point = _Point(place, value - goal.middle)
        if value < goal.low:
            slope = _slope(below, point, slope)
            below, above = point, above and replace(above, stayed=above.stayed + 1)
        else:
            slope = _slope(point, above, slope)
            above, below = point, below and replace(below, stayed=below.stayed + 1)
        if below is None or above is None:
            place = _beyond(point, slope, scale)
        elif above.place - below.place <= STEP:
            return
        else:
            place = _between(below, above, slope)
        if place == point.place:
            return


def _slope(left: _Point | None, right: _Point | None, slope: float) -> float:
    """What two trials on the same side of the goal tell of it, if they tell anything."""
    if left is None or right is None or left.place == right.place:
        return slope
    found = (right.excess - left.excess) / (right.place - left.place)
    return found if slope / _MOST_CHANGE < found < slope * _MOST_CHANGE else slope


def _beyond(point: _Point, slope: float, scale: Scale) -> float:
    """Where the goal should be, and a little farther, so that it is soon between two trials."""
    if math.isinf(point.excess):
        return _on_grid((point.place + scale.lowest) / 2)
    place = _on_grid(point.place - _OVERSHOOT * point.excess / slope)
    lowest = max(scale.lowest, scale.bend) if point.place > scale.bend else scale.lowest
    return max(lowest, min(place, scale.highest))


def _between(below: _Point, above: _Point, slope: float) -> float:
    """Where the line through two trials meets the middle of the goal."""
    width = above.place - below.place
    stayed = max(below.stayed, above.stayed)
    if stayed > _MOST_STAYS:
        share = 0.5
    elif math.isinf(above.excess):
        share = -below.excess / slope / width
    else:
        ahead = -below.excess / (2 if below.stayed == _MOST_STAYS else 1)
        share = ahead / (ahead + above.excess / (2 if above.stayed == _MOST_STAYS else 1))
    place = _on_grid(below.place + max(_EDGE, min(share, 1 - _EDGE)) * width)
    return max(below.place + STEP, min(place, above.place - STEP))


def _on_grid(place: float) -> float:
    return round(place / STEP) * STEP
