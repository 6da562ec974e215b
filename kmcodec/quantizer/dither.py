"""
Dithering: pixels of palette colours whose mix looks like the colour that the palette does not have.

Floyd–Steinberg (Floyd and Steinberg 1976) hands the error of every pixel on to those not yet done: finest. Ordered
dithering chooses for every pixel on its own, by a blue-noise mask (`blue_noise.py`), from a few palette colours whose
mean is nearest to the pixel's (after Knoll's patent of 1999, which has ended): equal pixels at equal places are
equal in every picture, so it neither flickers nor crawls.

Both work on coordinates of a space, in integers, and search the nearest palette colour exactly. Both leave fully
transparent pixels alone, and nothing is handed on to opaque ones that would make them translucent.

Error that no mix of palette colours makes up for would add up, and smear over what follows. So a pixel is never
taken farther from its colour, in any channel, than half the distance of palette colours to their neighbours; among
evenly spaced colours no more is ever needed. In photos of 16 to 256 colours this lowers the squared error by 20 to
57 % (Floyd–Steinberg) or by 3 to 36 % (ordered), and means over 4 × 4 pixels are as near to the photo's or nearer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import BLOCK_PIXELS, blocks
from kmcodec.compiled import compiled
from kmcodec.indexed import Labels, Palette, Pixels, label_dtype
from kmcodec.quantizer.blue_noise import blue_noise
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.histogram import Histogram, histogram
from kmcodec.quantizer.labels import label_colors, label_pixels, map_pixels, places_in_palette
from kmcodec.quantizer.nearest import nearest
from kmcodec.quantizer.space import SRGB, Space

_compiled = compiled("kmcodec.quantizer._dither")

FULL_STRENGTH = 256
"""Strength is a fixed-point number of this many parts."""

DITHER, KEEP_ALPHA = -1, -2
"""How a colour is treated: freely, or without its transparency changed; 0 and above is the label it has in any case."""

_MIXED = 16
"""Colours mixed by ordered dithering: more look the same, and take as much longer."""

_BRIGHTNESS = (299, 587, 114)  # of red, green and blue (ITU-R BT.601), for putting mixed colours in order

Coordinates = npt.NDArray[np.int32]
"""Coordinates of colours, shape (C, n), or (n, C) where neighbours in memory shall be channels."""


def dither_floyd_steinberg(
    pixels: Pixels, palette: Palette, colors: Histogram, *, strength: int = FULL_STRENGTH, space: Space = SRGB
) -> Labels:
    """
    Label pixels by error diffusion, the rows alternately from left to right and from right to left.

    Args:
        pixels: Shape (height, width, C).
        palette: Shape (K, C).
        colors: The histogram of these pixels, or of more.
        strength: The part of the error that is handed on, in 256ths, 0 to 256.
        space: Of the error, and of distances.

    Returns:
        Shape (height, width); the plain labels where the palette has all colours.
    """
    if is_exact(colors, palette, strength):
        return label_pixels(pixels, palette, colors, space=space)
    height, width = pixels.shape[:2]
    labels = np.empty((height, width), label_dtype(len(palette)))
    label = FloydSteinbergLabels(palette, width, strength=strength, space=space)
    for rows in _row_blocks(height, width):
        labels[rows] = label(pixels[rows], colors if rows == slice(0, height) else None)
    return labels


class FloydSteinbergLabels:
    """Labels by error diffusion for the blocks of rows of one picture, from the top."""

    def __init__(self, palette: Palette, width: int, *, strength: int = FULL_STRENGTH, space: Space = SRGB) -> None:
        """
        Args:
            palette: Shape (K, C).
            width: Pixels in a row.
            strength, space: As of `dither_floyd_steinberg`.
        """
        self._palette, self._space = palette, space
        make = Diffusion if _compiled is None else _compiled.Diffusion
        entries = _integers(space.coordinates(palette))
        self._diffusion = make(entries, width, strength, _limit(entries))

    def __call__(self, pixels: Pixels, colors: Histogram | None = None) -> Labels:
        """The labels of the next rows, shape (rows, width, C) → (rows, width); their histogram, if it is known."""
        colors = histogram(pixels) if colors is None else colors
        indices = map_pixels(pixels, colors.keys, np.arange(len(colors), dtype=np.int32))
        points = np.ascontiguousarray(_integers(self._space.coordinates(colors.colors)).T)
        found = np.empty(indices.shape, np.uint16)
        self._diffusion.diffuse(indices, points, _treatment(colors, self._palette, self._space), found)
        return found.astype(label_dtype(len(self._palette)), copy=False)


class Diffusion:
    """Floyd–Steinberg error diffusion over rows that come in pieces: the readable form of `_dither.pyx`, slow."""

    def __init__(self, palette: Coordinates, width: int, strength: int, limit: int) -> None:
        """
        Begin a picture.

        Args:
            palette: Coordinates, shape (C, K).
            width: Of all rows.
            strength: The part of the error that is handed on, in 256ths.
            limit: How far a coordinate is taken from that of the pixel at most.
        """
        self._palette = palette.T.astype(np.int64)
        self._low, self._high = self._palette.min(axis=0), self._palette.max(axis=0)
        self._strength = strength
        self._limit = limit
        self._row = 0
        self._error = np.zeros((2, width + 2, len(palette)), np.int64)  # sixteenths, with a margin at both ends
        self._label_of: dict[bytes, int] = {}

    def diffuse(
        self,
        indices: npt.NDArray[np.int32],
        points: Coordinates,
        treatment: npt.NDArray[np.int32],
        labels: npt.NDArray[np.uint16],
    ) -> None:
        """
        Label the next rows.

        Args:
            indices: Which colour every pixel has, shape (height, width).
            points: Coordinates of the colours, shape (n, C).
            treatment: Of every colour: a label, DITHER or KEEP_ALPHA, shape (n,).
            labels: To be filled, shape (height, width).
        """
        for row, row_labels in zip(indices, labels, strict=True):
            here, below = self._error[self._row % 2], self._error[1 - self._row % 2]
            below[:] = 0
            ahead = 1 if self._row % 2 == 0 else -1
            for x in range(len(row))[::ahead]:
                treated = treatment[row[x]]
                if treated >= 0:
                    row_labels[x] = treated
                    continue
                correction = (here[x + 1] * self._strength + 2048) >> 12
                value = points[row[x]] + correction.clip(-self._limit, self._limit)
                if treated == KEEP_ALPHA:
                    value[3] = points[row[x], 3]
                row_labels[x] = label = self._nearest(value.clip(self._low, self._high))
                rest = value - self._palette[label]
                here[x + 1 + ahead] += 7 * rest
                below[x + 1 - ahead] += 3 * rest
                below[x + 1] += 5 * rest
                below[x + 1 + ahead] += rest
            self._row += 1

    def _nearest(self, goal: npt.NDArray[np.int64]) -> int:
        key = goal.tobytes()
        if key not in self._label_of:
            self._label_of[key] = int(np.square(self._palette - goal).sum(axis=1).argmin())
        return self._label_of[key]


def dither_ordered(
    pixels: Pixels, palette: Palette, colors: Histogram, *, strength: int = FULL_STRENGTH, space: Space = SRGB
) -> Labels:
    """
    Label pixels by a mask: arguments and result as those of `dither_floyd_steinberg`.

    For every colour 16 palette colours are found, some of them alike, whose mean is near it: each makes up for the
    error of those before. Brightest last, they take the 16 steps of the mask.
    """
    if is_exact(colors, palette, strength):
        return label_pixels(pixels, palette, colors, space=space)
    return OrderedLabels(palette, strength=strength, space=space)(pixels, colors)


class OrderedLabels:
    """Labels by the mask for the blocks of rows of one picture, from the top."""

    def __init__(self, palette: Palette, *, strength: int = FULL_STRENGTH, space: Space = SRGB) -> None:
        """Arguments as of `dither_ordered`."""
        self._palette, self._strength, self._space = palette, strength, space
        self._mask = (blue_noise().astype(np.int32) * _MIXED) // blue_noise().size
        self._top = 0

    def __call__(self, pixels: Pixels, colors: Histogram | None = None) -> Labels:
        """The labels of the next rows, shape (rows, width, C) → (rows, width); their histogram, if it is known."""
        height, width = pixels.shape[:2]
        labels = np.empty((height, width), label_dtype(len(self._palette)))
        places = list(blocks(height, width))
        for place in places:
            block = colors if colors is not None and len(places) == 1 else histogram(pixels[place])
            mixes = _mixes(block, self._palette, self._strength, self._space)
            indices = map_pixels(pixels[place], block.keys, np.arange(len(block), dtype=np.int32))
            labels[place] = mixes[self._mask_at(*place), indices]
        self._top += height
        return labels

    def _mask_at(self, rows: slice, columns: slice) -> npt.NDArray[np.int32]:
        y = np.arange(self._top + rows.start, self._top + rows.stop) % len(self._mask)
        x = np.arange(columns.start, columns.stop) % len(self._mask)
        mask: npt.NDArray[np.int32] = self._mask[np.ix_(y, x)]
        return mask


def _mixes(colors: Histogram, palette: Palette, strength: int, space: Space) -> Labels:
    """The labels mixed for every colour, by brightness, shape (16, n)."""
    points, entries = _integers(space.coordinates(colors.colors)), _integers(space.coordinates(palette))
    low, high = entries.min(axis=1, keepdims=True), entries.max(axis=1, keepdims=True)
    limit = _limit(entries)
    treatment = _treatment(colors, palette, space)
    error = np.zeros_like(points)
    mixed = np.empty((_MIXED, len(colors)), label_dtype(len(palette)))
    for labels in mixed:
        correction = (error * strength + FULL_STRENGTH // 2) // FULL_STRENGTH
        values = points + correction.clip(-limit, limit)
        labels[:] = nearest(values.clip(low, high).astype(np.float32), entries.astype(np.float32))[0]
        error = values - entries[:, labels]
    given = treatment >= 0
    mixed[:, given] = treatment[given]
    rank = np.empty(len(palette), mixed.dtype)
    by_brightness = np.argsort(_brightness(palette), kind="stable").astype(mixed.dtype)
    rank[by_brightness] = np.arange(len(palette))
    return by_brightness[np.sort(rank[mixed], axis=0)]


def is_exact(colors: Histogram, palette: Palette, strength: int) -> bool:
    """Whether there is no error to hand on."""
    return strength == 0 or bool((places_in_palette(colors.keys, palette) >= 0).all())


def _limit(entries: Coordinates) -> int:
    """
    How far a coordinate is taken from that of a pixel at most, for a palette's coordinates, shape (C, K).

    Half the distance from a palette colour to its neighbour, of the nine tenths where that is least. Neighbours are
    looked for in the other half of the palette, every second colour: in tree order that is where they are.
    """
    if entries.shape[1] == 1:
        return 0
    halves = [entries[:, half::2].astype(np.float32) for half in (0, 1)]
    distances = np.sort(np.concatenate([nearest(*halves)[1], nearest(*halves[::-1])[1]]))
    return math.isqrt(int(distances[9 * len(distances) // 10])) // 2


def _treatment(colors: Histogram, palette: Palette, space: Space) -> npt.NDArray[np.int32]:
    """What is done with every colour, shape (n,): transparent ones have a label, opaque ones stay opaque."""
    treatment = np.full(len(colors), DITHER, np.int32)
    if colors.channels == 4:
        alpha = colors.colors[:, 3]
        treatment[alpha == OPAQUE] = KEEP_ALPHA
        treatment[alpha == 0] = label_colors(colors.colors[alpha == 0], palette, space)
    return treatment


def _integers(points: npt.NDArray[np.float32]) -> Coordinates:
    return points.astype(np.int32)


def _brightness(palette: Palette) -> npt.NDArray[np.int64]:
    """Of every colour, as seen on black, shape (K,)."""
    brightness = sum(factor * palette[:, c].astype(np.int64) for c, factor in enumerate(_BRIGHTNESS))
    return np.asarray(brightness * palette[:, 3] if palette.shape[1] == 4 else brightness)


def _row_blocks(height: int, width: int) -> Iterator[slice]:
    """Whole rows, as many at a time as `blocks` would take."""
    rows = max(1, BLOCK_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
