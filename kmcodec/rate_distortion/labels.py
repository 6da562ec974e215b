"""
Labels and palette chosen together for little error and few bits.

The nearest colour is the best label for PSNR and a poor one for size: a slightly worse colour is often much easier to
predict. Each pixel takes the label of least weight · squared error + λ · bits (entropy-constrained quantisation: Chou,
Lookabaugh and Gray 1989), the bits being those of the model of predicted coding, which serves plain coding too. Then
the palette moves to the means of its pixels, colours that are not worth their bits are dropped, and a second pass goes
over the labels of the first with the model warm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kmcodec.format.cores import run_on_cores
from kmcodec.format.prediction.choice import choose
from kmcodec.format.prediction.chooser import MAX_REACH, PRICE_ONE, Colors, LabelChooser
from kmcodec.indexed import IndexedImage, Labels, Palette, Pixels, label_dtype
from kmcodec.quantizer.histogram import Histogram
from kmcodec.quantizer.labels import label_colors, map_pixels
from kmcodec.quantizer.order import tree_order
from kmcodec.quantizer.space import Space
from kmcodec.rate_distortion.activity import activity_weights

_NEIGHBORS = 7
_WINDOW = 512  # colours before and after, in tree order, among which neighbours are looked for
_WORTH = 48  # bits; a colour that saves less error than these are worth is dropped
_DROP_LIMIT = 1024  # colours; the search compares all pairs of them
_THOROUGH_FROM = 5  # effort
_LEAST_BAND_PIXELS = 1 << 19  # each band learns anew: a photo in bands of 0.2 megapixels takes 1.5 % more bytes
_MOST_BANDS = 16  # each keeps its model, of up to 20 MB, from pass to pass
_MOST_TRIED = 5  # effort of the choice of a model to price labels with; they will change anyway

_Sums = npt.NDArray[np.float64]
"""Shape (K, C + 1): weighted sums of the coordinates of each label's pixels, and last of the weights; integers."""


@dataclass(frozen=True, eq=False)
class Source:
    """
    A picture, and what does not change from one trial to the next.

    Attributes:
        colors: The histogram of its pixels.
        space: Where distances are measured.
        points: Where the histogram's colours are, shape (n, 4).
        places: The place of each pixel's colour in the histogram, shape (height, width).
        weights: How much each pixel's error counts, shape (height, width).
    """

    colors: Histogram
    space: Space
    points: npt.NDArray[np.int16]
    places: npt.NDArray[np.int32]
    weights: npt.NDArray[np.uint16]


def source_of(pixels: Pixels, colors: Histogram, space: Space) -> Source:
    """Prepare a picture, of which `colors` is the histogram."""
    places = map_pixels(pixels, colors.keys, np.arange(len(colors), dtype=np.int32))
    return Source(colors, space, _points(colors.colors, space), places, activity_weights(pixels))


def choose_labels(
    source: Source,
    palette: Palette,
    rdo: float,
    *,
    fixed: npt.NDArray[np.bool_],
    effort: int,
    threads: int | None,
) -> IndexedImage:
    """
    Palette and labels of least squared error + λ · bits.

    Args:
        source: The picture.
        palette: Where to start, in tree order, such as the quantiser's; shape (K, C).
        rdo: λ, what a bit is worth in squared error of a pixel, red, green and blue together; > 0.
        fixed: Which colours stay as they are, shape (K,). If all are, their order stays too.
        effort: From 5 on two passes that look ahead; below one that does not, in a third of the time.
        threads: How many threads may work; None for one a core. The result does not depend on it.

    Returns:
        The picture, in a palette of K colours or fewer.

    Raises:
        RuntimeError: kmcodec was installed without a compiler.
    """
    if len(palette) == 1:
        return IndexedImage(palette, np.zeros(source.places.shape, np.uint8))
    used = np.ones(len(palette), bool)
    nearest = _nearest_of_colors(source, palette, used)
    labels = nearest[source.places]
    passes = _Passes(source, palette, labels, rdo, effort=effort, threads=threads)
    labels = passes.run(labels, palette, used, nearest, settle=False)
    if effort >= _THOROUGH_FROM:
        sums = passes.weighted_sums(labels, palette)
        palette = _refitted(palette, sums, fixed, source.space)
        used = _worthwhile(
            palette, np.bincount(labels.reshape(-1), minlength=len(palette)), fixed, passes.worth, source.space
        )
        labels = _among(used, palette, source.space)[labels].astype(labels.dtype)
        nearest = _nearest_of_colors(source, palette, used)
        labels = passes.run(labels, palette, used, nearest, settle=True)
    palette = _refitted(palette, passes.plain_sums(labels, palette), fixed, source.space)
    return _tidied(palette, labels, fixed)


class _Passes:
    """Choosers of all bands of a picture, warm from pass to pass."""

    def __init__(
        self, source: Source, palette: Palette, labels: Labels, rdo: float, *, effort: int, threads: int | None
    ) -> None:
        height, width = source.places.shape
        rows = _band_height(width, height)
        self._source, self._threads = source, threads
        self._bands = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
        price = rdo / source.space.squared_error
        self._price = max(1, round(price * PRICE_ONE))
        self.worth = _WORTH * price
        self._look_ahead = effort >= _THOROUGH_FROM
        strips = [labels[band] for band in self._bands]
        parameters = choose(strips, palette, effort=min(effort, _MOST_TRIED), threads=threads)
        self._choosers = [LabelChooser((band.stop - band.start, width), palette, parameters) for band in self._bands]

    def run(
        self, labels: Labels, palette: Palette, used: npt.NDArray[np.bool_], nearest: Labels, *, settle: bool
    ) -> Labels:
        """A pass over all bands; `nearest` is the label of the used colour nearest to each of the histogram."""
        source = self._source
        colors = _colors(palette, used, source.space)

        def choose_band(job: tuple[LabelChooser, slice]) -> Labels:
            chooser, rows = job
            places = source.places[rows]
            return chooser.run(
                labels[rows],
                colors,
                source.points[places],
                source.weights[rows],
                nearest[places],
                price=self._price,
                look_ahead=self._look_ahead,
                settle=settle,
            )

        jobs = list(zip(self._choosers, self._bands, strict=True))
        return np.concatenate(run_on_cores(choose_band, jobs, self._threads))

    def weighted_sums(self, labels: Labels, palette: Palette) -> _Sums:
        """Of the pixels of each label, every pixel counting as much as its error does."""
        return self._sums(labels, palette, lambda rows: self._source.weights[rows].astype(np.float64))

    def plain_sums(self, labels: Labels, palette: Palette) -> _Sums:
        """Of the pixels of each label, all counting the same."""
        return self._sums(labels, palette, lambda rows: np.ones(labels[rows].shape))

    def _sums(self, labels: Labels, palette: Palette, weights_of: Callable[[slice], npt.NDArray[np.float64]]) -> _Sums:
        count, channels = palette.shape

        def sum_band(rows: slice) -> _Sums:
            label, weight = labels[rows].reshape(-1), weights_of(rows).reshape(-1)
            points = self._source.points[self._source.places[rows]].reshape(-1, 4)
            columns = [np.bincount(label, weight * points[:, channel], count) for channel in range(channels)]
            return np.stack([*columns, np.bincount(label, weight, count)], axis=1)

        total: _Sums = np.sum(run_on_cores(sum_band, self._bands, self._threads), axis=0)
        return total


def _nearest_of_colors(source: Source, palette: Palette, used: npt.NDArray[np.bool_]) -> Labels:
    nearest = label_colors(source.colors.colors, palette[used], source.space)
    return np.flatnonzero(used)[nearest].astype(label_dtype(len(palette)))


def _band_height(width: int, height: int) -> int:
    """Rows of a band: a power of two of them, up to 16, each of at least half a megapixel."""
    count = 1
    while count < _MOST_BANDS and width * height >= 2 * count * _LEAST_BAND_PIXELS:
        count *= 2
    return -(-height // min(count, height))


def _points(colors: Palette, space: Space) -> npt.NDArray[np.int16]:
    points = np.zeros((len(colors), 4), np.int16)
    points[:, : colors.shape[1]] = space.coordinates(colors).T
    return points


def _colors(palette: Palette, used: npt.NDArray[np.bool_], space: Space) -> Colors:
    neighbors, distances = _neighbors(palette, used, space)
    return Colors(palette, _points(palette, space), used, neighbors, distances)


def _neighbors(
    palette: Palette, used: npt.NDArray[np.bool_], space: Space
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """The used colours nearest to each, itself among them, and their squared distances; both (K, N)."""
    order = tree_order(palette)
    order = order[used[order]]
    reach = min(_NEIGHBORS + 1, MAX_REACH, len(order))
    neighbors = np.zeros((len(palette), reach), np.uint16)
    distances = np.zeros((len(palette), reach), np.int32)
    points = space.coordinates(palette[order])
    for start in range(0, len(order), _WINDOW):
        rows = slice(start, start + _WINDOW)
        window = slice(max(0, start - _WINDOW), start + 2 * _WINDOW)
        between = _squared_distances(points[:, rows], points[:, window]).astype(np.int64)
        ranked = between * between.shape[1] + np.arange(between.shape[1])  # no two equal: no choice is left to a sort
        nearest = np.sort(np.partition(ranked, reach - 1, axis=1)[:, :reach], axis=1)
        neighbors[order[rows]] = order[window][nearest % between.shape[1]]
        distances[order[rows]] = nearest // between.shape[1]
    return neighbors, distances


def _squared_distances(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Between points (C, n) and (C, m): (n, m). All terms are integers below 2²⁴, so exact in any order."""
    squares: npt.NDArray[np.float32] = np.square(a).sum(axis=0)[:, None] + np.square(b).sum(axis=0)[None, :]
    return squares - 2 * (a.T @ b)


def _refitted(palette: Palette, sums: _Sums, fixed: npt.NDArray[np.bool_], space: Space) -> Palette:
    """Every colour at the mean of its pixels, but for fixed and unused ones."""
    moved = (sums[:, -1] > 0) & ~fixed
    refitted = palette.copy()
    refitted[moved] = space.colors(np.rint(sums[moved, :-1] / sums[moved, -1:]).T.astype(np.float32))
    return refitted


def _worthwhile(
    palette: Palette,
    counts: npt.NDArray[np.int64],
    fixed: npt.NDArray[np.bool_],
    worth: float,
    space: Space,
) -> npt.NDArray[np.bool_]:
    """Which colours are used, and save more error against the nearest other one than `worth`."""
    used = (counts > 0) | fixed
    if len(palette) > _DROP_LIMIT:
        return used
    counts = counts.copy()
    points = space.coordinates(palette)
    between = _squared_distances(points, points).astype(np.float64)
    np.fill_diagonal(between, np.inf)
    between[~used] = between[:, ~used] = np.inf
    while used.sum() > 1:
        nearest = between.argmin(axis=1)
        saved = np.full(len(palette), np.inf)
        free = used & ~fixed
        saved[free] = counts[free] * between[free].min(axis=1)
        least = int(saved.argmin())
        if saved[least] >= worth:
            break
        used[least] = False
        counts[nearest[least]] += counts[least]
        between[least] = between[:, least] = np.inf
    return used


def _among(used: npt.NDArray[np.bool_], palette: Palette, space: Space) -> npt.NDArray[np.intp]:
    """For every label itself, or the nearest used one in its place."""
    kept = np.flatnonzero(used)
    places = kept[label_colors(palette, palette[used], space)]
    places[kept] = kept
    return places


def _tidied(palette: Palette, labels: Labels, fixed: npt.NDArray[np.bool_]) -> IndexedImage:
    """Without unused colours, and colours that are equal, in tree order; a palette that is fixed stays as it is."""
    if fixed.all():
        return IndexedImage(palette, labels)
    used = np.bincount(labels.reshape(-1), minlength=len(palette)) > 0
    unique, places = np.unique(palette[used | fixed], axis=0, return_inverse=True)
    order = tree_order(unique)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    numbers = np.zeros(len(palette), label_dtype(len(unique)))
    numbers[used | fixed] = rank[places.reshape(-1)]
    return IndexedImage(unique[order], numbers[labels])
