"""Bjøntegaard's delta rate: how many more bytes one curve takes than another, at the same quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Curve: TypeAlias = Sequence[tuple[float, float]]
"""Points (bytes, quality), in any order; bits per second, or per pixel, do as well as bytes."""

_Floats = npt.NDArray[np.float64]


def bd_rate(curve: Curve, reference: Curve, *, higher_is_better: bool = True) -> float:
    """
    How many more bytes a curve takes than a reference, on average over the qualities that both reach.

    The logarithm of bytes is interpolated over quality by monotone piecewise cubics (pchip), as in the spreadsheets of
    JVET, and not by Bjøntegaard's single cubic, which swings where points are unevenly spaced. The difference of the
    two interpolations is averaged, exactly, over the range of quality that they share.

    Points of no finite quality are left out, and of several of one quality all but the smallest.

    Sources: G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001; F. Bossen
    and others, "VTM common test conditions and software reference configurations for SDR video", JVET-T2010, 2020;
    F. N. Fritsch, J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM Journal on
    Scientific and Statistical Computing 5(2), 1984.

    Args:
        curve: Two points or more.
        reference: Two points or more.
        higher_is_better: Whether quality rises with the value; false for CIEDE2000.

    Returns:
        Percent of the reference's bytes; below 0 where the curve takes fewer.

    Raises:
        ValueError: A curve has fewer than two points, a size is not above 0, or the curves share no range of quality.
    """
    sign = 1 if higher_is_better else -1
    x, y = _sorted(curve, sign)
    reference_x, reference_y = _sorted(reference, sign)
    low, high = max(x[0], reference_x[0]), min(x[-1], reference_x[-1])
    if low >= high:
        raise ValueError("the curves share no range of quality")
    difference = _integral(x, y, low, high) - _integral(reference_x, reference_y, low, high)
    return 100 * math.expm1(difference / (high - low))


def _sorted(curve: Curve, sign: int) -> tuple[_Floats, _Floats]:
    """Qualities, rising, and the logarithms of their least bytes."""
    least: dict[float, float] = {}
    for size, quality in curve:
        if not size > 0:
            raise ValueError(f"sizes must be above 0, not {size}")
        if math.isfinite(quality):
            least[sign * quality] = min(size, least.get(sign * quality, math.inf))
    if len(least) < 2:
        raise ValueError(f"a curve needs at least two points of different finite quality, not {len(least)}")
    points = sorted(least.items())
    return np.array([quality for quality, _ in points]), np.log([size for _, size in points])


def _integral(x: _Floats, y: _Floats, low: float, high: float) -> float:
    """Of the interpolation of y over x, from low to high."""
    slopes = _slopes(x, y)
    total = 0.0
    for left, right in pairwise(range(len(x))):
        start, end = max(low, x[left]), min(high, x[right])
        if start < end:
            antiderivative = np.polyint(_cubic(x[right] - x[left], y[left], y[right], slopes[left], slopes[right]))
            total += float(np.polyval(antiderivative, end - x[left]) - np.polyval(antiderivative, start - x[left]))
    return total


def _cubic(width: float, y0: float, y1: float, slope0: float, slope1: float) -> _Floats:
    """Coefficients, highest power first, over the distance from the left end; shape (4,)."""
    secant = (y1 - y0) / width
    return np.array([(slope0 + slope1 - 2 * secant) / width**2, (3 * secant - 2 * slope0 - slope1) / width, slope0, y0])


def _slopes(x: _Floats, y: _Floats) -> _Floats:
    """Fritsch and Butland's: the weighted harmonic mean of the secants, 0 where they change sign."""
    widths = np.diff(x)
    secants = np.diff(y) / widths
    if len(secants) == 1:
        return np.repeat(secants, 2)
    slopes = np.zeros(len(x))
    for i in range(1, len(x) - 1):
        before, after = secants[i - 1], secants[i]
        if before * after > 0:
            weight_before, weight_after = 2 * widths[i] + widths[i - 1], widths[i] + 2 * widths[i - 1]
            slopes[i] = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    slopes[0] = _end_slope(widths[0], widths[1], secants[0], secants[1])
    slopes[-1] = _end_slope(widths[-1], widths[-2], secants[-1], secants[-2])
    return slopes


def _end_slope(width: float, next_width: float, secant: float, next_secant: float) -> float:
    """Of the parabola through the three points at an end, held back where it would overshoot."""
    slope = ((2 * width + next_width) * secant - width * next_secant) / (width + next_width)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant < 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
