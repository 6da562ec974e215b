"""The palette of a histogram: its colours where they are few, else the centroids of k-means."""

from __future__ import annotations

import numpy as np

from kmcodec.blocks import BLOCK_PIXELS
from kmcodec.indexed import Palette
from kmcodec.quantizer.color import premultiply, unpremultiply
from kmcodec.quantizer.histogram import Histogram, keys_of_pixels, merge_equal, run_starts
from kmcodec.quantizer.kmeans import Cloud, fit_centroids
from kmcodec.quantizer.labels import label_colors
from kmcodec.quantizer.order import tree_order
from kmcodec.quantizer.rare import lost_colors
from kmcodec.quantizer.space import SRGB, Space, coordinates_of

_CELL_BITS = (7, 6, 5, 4)
_POINTS_PER_CENTROID = 24


def fit_palette(
    colors: Histogram, count: int, *, space: Space = SRGB, keep: Palette | None = None, rare: float = 0.0
) -> Palette:
    """
    Choose at most `count` colours that stand for all.

    Where the histogram, with the kept colours, has no more than that, the palette is exactly its colours; else it
    minimises the squared distance in a space by k-means. Colours are in tree order (`order.py`), and every one is
    used, but for kept ones.

    Args:
        colors: At least one colour.
        count: K, 1 to 65 536.
        space: Where distances are measured.
        keep: Colours that are in the palette in any case, shape (F, C), F ≤ K, no two the same.
        rare: Up to this share of the palette, 0 to 1, goes to small areas of distinct colours (`rare.py`).

    Returns:
        Shape (K', C), K' ≤ K.
    """
    keep = np.zeros((0, colors.channels), np.uint8) if keep is None else keep
    palette = _with_kept(colors.colors, keep)
    if len(palette) > count:
        seen = _premultiplied(colors)
        palette = _with_kept(_straight(seen), keep)
        if len(palette) > count:
            palette = _fitted(seen, count, space, keep, rare)
        palette = _with_kept(_used(colors, palette, space), keep)
    return palette[tree_order(palette)]


def summaries(colors: Histogram, straight: Palette, space: Space, least: int) -> list[Cloud]:
    """
    Colours as weighted points, ever finer: cells of the colour cube at their mean, last all colours.

    Args:
        colors: The colours, premultiplied.
        straight: The same with straight alpha, shape (n, C).
        space: Of the points.
        least: Fewest points of a cloud of cells.
    """
    points = coordinates_of(space, straight)
    clouds = [Cloud(points, colors.counts)]
    for bits in _CELL_BITS:
        starts = run_starts(colors.keys >> np.uint32(colors.channels * (8 - bits)))
        if len(starts) < least:
            break
        if len(starts) < 0.7 * len(clouds[-1]):
            weights = np.add.reduceat(colors.counts, starts)
            sums = np.stack([np.add.reduceat(row * colors.counts.astype(float), starts) for row in points])
            clouds.append(Cloud(np.rint(sums / weights).astype(np.float32), weights))
    return clouds[::-1]


def _fitted(seen: Histogram, count: int, space: Space, keep: Palette, rare: float) -> Palette:
    """The kept colours, and as many centroids as there is room for; arguments as of `fit_palette`, premultiplied."""
    straight = _straight(seen)
    if _is_transparent_enough(seen, count) and len(keep) < count and not (keep[:, 3] == 0).any():
        keep = np.concatenate([keep, straight[:1]])
    clouds = summaries(seen, straight, space, _POINTS_PER_CENTROID * count)
    centroids = fit_centroids(clouds, count, space.coordinates(keep))
    if rare > 0 and len(keep) < count:
        most = min(max(1, round(rare * count)), count - len(keep))
        lost = lost_colors(seen, clouds[-1].points, centroids, most)
        if len(lost):
            keep = np.concatenate([keep, straight[lost]])
            centroids = fit_centroids(clouds, count, space.coordinates(keep))
    return np.concatenate([keep, space.colors(centroids[:, len(keep) :])])


def _is_transparent_enough(seen: Histogram, count: int) -> bool:
    """
    Whether full transparency takes an even share of the pixels or more, and so a place in the palette.

    Its centroid would be ever so slightly opaque, for the faint colours near it.
    """
    is_first = seen.channels == 4 and seen.keys[0] == 0
    return bool(is_first and seen.counts[0] * count >= seen.counts.sum())


def _with_kept(palette: Palette, keep: Palette) -> Palette:
    """Both, each colour once, in no order that matters."""
    return np.unique(np.concatenate([keep, palette]), axis=0) if len(keep) else palette


def _premultiplied(colors: Histogram) -> Histogram:
    """The colours as they are seen, of which some may have become one; without alpha the same."""
    if colors.channels == 3:
        return colors
    return merge_equal(keys_of_pixels(premultiply(colors.colors)), colors.counts, colors.channels)


def _straight(seen: Histogram) -> Palette:
    """The premultiplied colours with straight alpha, shape (n, C), piece by piece."""
    if seen.channels == 3:
        return seen.colors
    straight = np.empty_like(seen.colors)
    for start in range(0, len(seen), BLOCK_PIXELS):
        piece = slice(start, start + BLOCK_PIXELS)
        straight[piece] = unpremultiply(seen.colors[piece].astype(np.float64))
    return straight


def _used(colors: Histogram, palette: Palette, space: Space) -> Palette:
    """The palette colours that are the nearest of some colour, each once."""
    palette = np.unique(palette, axis=0)
    return palette[np.unique(label_colors(colors.colors, palette, space))]
