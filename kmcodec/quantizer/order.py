"""
The order of a palette.

Neighbours in label should be neighbours in colour, and labels that share their leading bits should be colours of one
region: both codings of labels use it, and a palette so ordered compresses better itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.indexed import Palette

_POWER_ITERATIONS = 12


def tree_order(palette: Palette) -> npt.NDArray[np.intp]:
    """
    Order colours by splitting them in two along their principal axis, again and again.

    The first half of a split takes as many colours as one more bit of the label can tell apart, so the bits of a label
    say on which side of each split its colour lies. Dark comes before bright.

    Args:
        palette: Shape (K, C).

    Returns:
        Shape (K,): the colours' indices in their new order.
    """
    count = len(palette)
    order = np.lexsort(palette.T)  # the result depends on the set of colours alone
    bits = (count - 1).bit_length()
    for level in range(bits):
        group = np.arange(count) >> (bits - level)
        colors = palette[order].astype(np.int64)
        axis = _principal_axes(colors, np.flatnonzero(np.diff(group, prepend=-1)))
        projection = np.zeros(count)
        for channel in range(palette.shape[1]):
            projection += colors[:, channel] * axis[group, channel]
        order = order[np.lexsort((projection, group))]
    return order


def _principal_axes(colors: npt.NDArray[np.int64], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """
    The direction in which each run of colours spreads most, by power iteration.

    A library's eigenvectors differ in their last bits from processor to processor; these do not.
    """
    channels = colors.shape[1]
    size = np.diff(starts, append=len(colors))
    total = np.add.reduceat(colors, starts)
    covariance = np.empty((channels, channels, len(starts)))
    for a in range(channels):
        for b in range(channels):
            products = np.add.reduceat(colors[:, a] * colors[:, b], starts)
            covariance[a, b] = size * products - total[:, a] * total[:, b]
    axis = np.ones((channels, len(starts)))
    for _ in range(_POWER_ITERATIONS):
        product = np.zeros_like(axis)
        for a in range(channels):
            for b in range(channels):
                product[a] += covariance[a, b] * axis[b]
        largest = np.abs(product).max(axis=0)
        axis = np.where(largest > 0, product / np.maximum(largest, 1), axis)
    brightening = axis[0].copy()
    for channel in range(1, channels):
        brightening += axis[channel]
    return np.where(brightening < 0, -axis, axis).T
