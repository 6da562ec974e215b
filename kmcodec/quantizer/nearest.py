"""
Nearest centroid and cluster sums, exactly: the same results on every machine.

Coordinates are integers (palette colours, or centroids in fixed point) small enough that all squared distances, and
all sums on the way to them, are integers below 2²⁴. In float32 these are exact, so neither the order of a sum, nor
fused operations, nor the number of threads can change a result. Sums over a cluster are integers below 2⁵³ in
float64, exact for the same reason.

Both functions have a compiled form (`_nearest.pyx`) and one in NumPy, 5 to 20 times slower, for installations
made without a compiler.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.compiled import compiled

_compiled = compiled("kmcodec.quantizer._nearest")

Points = npt.NDArray[np.float32]
"""Integers in ±1 024, shape (channels, n): one row a channel, so that loops run over neighbours in memory."""

_TILE = 1024


def nearest(points: Points, centroids: Points) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """
    Find the nearest centroid of every point; of equally near ones, the first.

    It is fastest where neighbours in `points` are neighbours in colour, as in a histogram.

    Args:
        points: Shape (C, n), C = 3 or 4.
        centroids: Shape (C, K), K ≥ 1.

    Returns:
        Labels, shape (n,), and squared distances, shape (n,), integers.
    """
    labels = np.empty(points.shape[1], np.int32)
    distances = np.empty(points.shape[1], np.float32)
    search = _nearest_numpy if _compiled is None else _compiled.nearest
    search(np.ascontiguousarray(points), np.ascontiguousarray(centroids), labels, distances)
    return labels, distances


def cluster_sums(
    points: Points, weights: npt.NDArray[np.int64], labels: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.float64]:
    """
    Sum the weighted points of every cluster.

    Args:
        points: Shape (C, n).
        weights: Shape (n,).
        labels: Shape (n,), 0 ≤ label < count.
        count: Number of clusters, K.

    Returns:
        Shape (K, C + 1): the weighted sum of every coordinate, and last the sum of the weights.
    """
    sums = np.zeros((count, len(points) + 1))
    if _compiled is not None:
        _compiled.cluster_sums(np.ascontiguousarray(points), weights, labels, sums)
        return sums
    for channel, row in enumerate(points):
        sums[:, channel] = np.bincount(labels, weights * row.astype(np.float64), count)
    sums[:, -1] = np.bincount(labels, weights, count)
    return sums


def _nearest_numpy(
    points: Points, centroids: Points, labels: npt.NDArray[np.int32], distances: npt.NDArray[np.float32]
) -> None:
    """|x − c|² as |x|² − (2x·c − |c|²), a matrix product; its terms stay below 2²⁴ too: |2x·c| ≤ 2·4·2²⁰."""
    projection = np.concatenate([2 * centroids, -np.square(centroids).sum(axis=0, keepdims=True)])
    for start in range(0, points.shape[1], _TILE):
        tile = points[:, start : start + _TILE]
        near = _may_be_nearest(tile, centroids)
        ones = np.ones((1, tile.shape[1]), np.float32)
        scores = np.concatenate([tile, ones]).T @ projection[:, near]
        best = scores.argmax(axis=1)
        labels[start : start + _TILE] = near[best]
        distances[start : start + _TILE] = np.square(tile).sum(axis=0) - scores[np.arange(len(best)), best]


def _may_be_nearest(tile: Points, centroids: Points) -> npt.NDArray[np.intp]:
    """Those not farther from the nearest corner of the tile's box than another is from the farthest one."""
    below = tile.min(axis=1, keepdims=True) - centroids
    above = centroids - tile.max(axis=1, keepdims=True)
    inner = np.square(np.maximum(np.maximum(below, above), 0)).sum(axis=0)
    outer = np.square(np.minimum(below, above)).sum(axis=0)
    return np.flatnonzero(inner <= outer.min())
