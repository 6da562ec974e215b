"""
Small areas of a distinct colour, such as the swatches of a legend, that k-means averages away.

Thirty pixels weigh nothing in a mean over a million, however wrong they come out. Giving rare colours more weight
does not save them: of noise and smooth edges every colour is rare, and takes most of what is given. So the plain
palette is fitted first, and what it leaves far off gets a place of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.quantizer.histogram import Histogram, run_starts
from kmcodec.quantizer.nearest import Points, nearest

_CELL_BITS = 4
_FAR = 25
"""How many times the mean squared error a lost colour has. With 9 or 16 photos lose more and maps gain no more."""


def lost_colors(colors: Histogram, points: Points, centroids: Points, most: int) -> npt.NDArray[np.intp]:
    """
    The colours that a palette leaves far off, the one that adds most to the error first.

    A colour stands for its cell of the colour cube, sixteen steps wide, of which it is the most frequent; one that is
    near another already found is not lost any more.

    Args:
        colors: All colours.
        points: Their coordinates, shape (C, n).
        centroids: Those of the palette, shape (C, K).
        most: How many may be found, ≥ 0.

    Returns:
        Which of the colours, shape (m,), m ≤ most.
    """
    _, distances = nearest(points, centroids)
    mean = int((distances.astype(np.int64) * colors.counts).sum()) // int(colors.counts.sum())
    modes, weights = _cells(colors)
    places = points[:, modes].astype(np.int64)
    errors = distances[modes].astype(np.int64)
    found: list[int] = []
    while len(found) < most:
        scores = np.where(errors > _FAR * mean, errors * weights, 0)
        cell = int(scores.argmax())
        if scores[cell] == 0:
            break
        found.append(cell)
        errors = np.minimum(errors, np.square(places - places[:, cell : cell + 1]).sum(axis=0))
    return modes[found]


def _cells(colors: Histogram) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """The most frequent colour of every cell, and how many pixels the cell has."""
    starts = run_starts(colors.keys >> np.uint32(colors.channels * (8 - _CELL_BITS)))
    cell = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(colors)))
    return np.lexsort((-colors.counts, cell))[starts], np.add.reduceat(colors.counts, starts)
