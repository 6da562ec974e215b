"""The palette of a histogram: its colours where they are few, else the centroids of k-means."""

from __future__ import annotations

import numpy as np

from kmcodec.indexed import Palette
from kmcodec.quantizer.color import premultiply, unpremultiply
from kmcodec.quantizer.histogram import Histogram, keys_of_pixels, merge_equal, run_starts
from kmcodec.quantizer.kmeans import SCALE, Centroids, Cloud, fit_centroids
from kmcodec.quantizer.labels import label_colors
from kmcodec.quantizer.order import tree_order

_CENTER = 128
_CELL_BITS = (7, 6, 5, 4)
_POINTS_PER_CENTROID = 24


def fit_palette(colors: Histogram, count: int) -> Palette:
    """
    Choose at most `count` colours that stand for all.

    Where the histogram has no more than that, the palette is exactly its colours; else it minimises the squared error
    by k-means, for RGBA on premultiplied colours. Colours are in tree order (`order.py`), and every one is used.

    Args:
        colors: At least one colour.
        count: K, 1 to 65 536.

    Returns:
        Shape (K', C), K' ≤ K.
    """
    palette = colors.colors
    if len(palette) > count:
        seen = _premultiplied(colors)
        palette = unpremultiply(seen.colors.astype(np.float64))
        if len(palette) > count:
            palette = _from_fixed_point(fit_centroids(summaries(seen, _POINTS_PER_CENTROID * count), count))
        palette = _used(colors, np.unique(palette, axis=0))
    return palette[tree_order(palette)]


def summaries(colors: Histogram, least: int) -> list[Cloud]:
    """
    Premultiplied colours as weighted points, ever finer: cells of the colour cube at their mean, last all colours.

    Args:
        colors: The colours.
        least: Fewest points of a cloud of cells.
    """
    points = _to_fixed_point(colors.colors)
    clouds = [Cloud(points, colors.counts)]
    for bits in _CELL_BITS:
        starts = run_starts(colors.keys >> np.uint32(colors.channels * (8 - bits)))
        if len(starts) < least:
            break
        if len(starts) < 0.7 * len(clouds[-1]):
            weights = np.add.reduceat(colors.counts, starts)
            sums = np.stack([np.add.reduceat(row * colors.counts.astype(np.float64), starts) for row in points])
            clouds.append(Cloud(np.rint(sums / weights).astype(np.float32), weights))
    return clouds[::-1]


def _premultiplied(colors: Histogram) -> Histogram:
    """The colours as they are seen, of which some may have become one; without alpha the same."""
    if colors.channels == 3:
        return colors
    return merge_equal(keys_of_pixels(premultiply(colors.colors)), colors.counts, colors.channels)


def _to_fixed_point(colors: Palette) -> Centroids:
    return np.ascontiguousarray((colors.T.astype(np.float32) - _CENTER) * SCALE)


def _from_fixed_point(centroids: Centroids) -> Palette:
    return unpremultiply(centroids.T.astype(np.float64) / SCALE + _CENTER)


def _used(colors: Histogram, palette: Palette) -> Palette:
    """The palette colours that are the nearest of some colour."""
    return palette[np.unique(label_colors(colors.colors, palette))]
