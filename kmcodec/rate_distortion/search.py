"""The quality at which a picture reaches a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kmcodec.rate_distortion.quality import HIGHEST_QUALITY, LOWEST_QUALITY

MOST_TRIALS = 8

_MARGIN = 0.06
"""Least share of a bracket that a trial cuts off."""

_STEP = 1 / 64
"""Qualities tried are multiples of this: the last bit of a logarithm, which machines differ in, must not matter."""


@dataclass(frozen=True)
class Goal:
    """
    What is searched for: a quality at which a value, which rises with quality, is from `low` to `high`.

    Attributes:
        low, high: The range.
        slope: By how much the value rises with a step of quality, about.
        start: The quality to try first.
    """

    low: float
    high: float
    slope: float
    start: float


def search(value_at: Callable[[float], float], goal: Goal, *, last_resort: float) -> None:
    """
    Try qualities until one is in the goal's range, or nothing is left to try.

    Args:
        value_at: Tries a quality and gives its value; it is called at most 8 times, and keeps what it finds.
        goal: The goal.
        last_resort: The end of the scale, lowest or highest, where the target is met if it can be met at all. It is
            tried before the search gives up.
    """
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    quality = goal.start
    for trial in range(1, MOST_TRIALS + 1):
        met = above if last_resort == HIGHEST_QUALITY else below
        if trial == MOST_TRIALS and met is None:
            quality = last_resort
        value = value_at(quality)
        if goal.low <= value <= goal.high:
            return
        if value < goal.low:
            below = quality, value
        else:
            above = quality, value
        aimed = _next(below, above, goal)
        if aimed in (quality, None):
            return
        quality = aimed


def _next(below: tuple[float, float] | None, above: tuple[float, float] | None, goal: Goal) -> float | None:
    """Where the line through the last trials meets the middle of the range; None where there is nothing to try."""
    middle = (goal.low + goal.high) / 2
    if below is None or above is None:
        quality, value = below or above or (goal.start, middle)
        quality += 1.2 * (middle - value) / goal.slope
        return max(LOWEST_QUALITY, min(_on_grid(quality), HIGHEST_QUALITY))
    (left, low), (right, high) = below, above
    if right - left <= _STEP:
        return None
    share = (middle - low) / (high - low) if high > low else 0.5
    quality = _on_grid(left + max(_MARGIN, min(share, 1 - _MARGIN)) * (right - left))
    return max(left + _STEP, min(quality, right - _STEP))


def _on_grid(quality: float) -> float:
    return round(quality / _STEP) * _STEP
