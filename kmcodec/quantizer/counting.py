"""
The colours of a picture that comes in blocks of rows, counted in bounded memory.

There are 2²⁴ opaque colours, and each has its own counter: 128 MB, of which an operating system provides what is used.
Translucent ones could be 2³². Once more than 2²² have been seen, they are counted by cells of 2 × 2 × 2 × 2 steps, if
need be of 4, and so on: what is lost is the last bits of the colours to which a palette is fitted, not of the pixels.
How wide the cells become depends on the colours alone, not on the order in which they come.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kmcodec.indexed import Palette, Pixels
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.histogram import (
    Histogram,
    Keys,
    colors_of_keys,
    count_keys,
    keys_of_pixels,
    merge,
    merge_equal,
)

MOST_TRANSLUCENT = 1 << 22
"""Translucent colours, or cells of them, in a histogram."""

_OPAQUE_COLORS = 1 << 24


class ColorCounter:
    """Counts colours, block by block."""

    def __init__(self, channels: int) -> None:
        """Begin a picture of 3 or 4 channels."""
        self._channels = channels
        self._opaque = np.zeros(_OPAQUE_COLORS, np.int64)
        self._translucent: list[Histogram] = []  # one at most
        self._waiting: list[Histogram] = []
        self._cell_bits = 0

    def add(self, pixels: Pixels) -> None:
        """Count more pixels, shape (rows, width, channels), of which there should be a few million at most."""
        if self._channels == 3:
            self._add_opaque(pixels)
            return
        opaque = pixels[..., 3] == OPAQUE
        self._add_opaque(pixels[opaque][:, :3])
        if not opaque.all():
            self._waiting.append(count_keys(self._cells(pixels[~opaque]), self._channels))
            if sum(map(len, self._waiting)) >= MOST_TRANSLUCENT:
                self._settle()

    def histogram(self) -> Histogram:
        """All that were counted, at least one."""
        keys = np.flatnonzero(self._opaque).astype(np.uint32)
        counts = self._opaque[keys]
        if self._channels == 3:
            return Histogram(keys, counts, 3)
        self._settle()
        # alpha's bits, the same in all keys, leave them in order
        opaque = Histogram(keys_of_pixels(_with_alpha(colors_of_keys(keys, 3))), counts, 4)
        return replace(_merged([opaque, *self._translucent]), is_exact=self._cell_bits == 0)

    def _add_opaque(self, pixels: npt.NDArray[np.uint8]) -> None:
        np.add.at(self._opaque, keys_of_pixels(pixels), 1)

    def _settle(self) -> None:
        """Merge what waits, and widen cells until there are few enough."""
        if not self._waiting:
            return
        merged = _merged([*self._translucent, *self._waiting])
        self._waiting = []
        while len(merged) > MOST_TRANSLUCENT:
            self._cell_bits += 1
            merged = merge_equal(self._cells(merged.colors), merged.counts, 4)
        self._translucent = [merged]

    def _cells(self, colors: npt.NDArray[np.uint8]) -> Keys:
        """The keys of translucent colours, or of what stands for their cells, shape (n, 4) → (n,)."""
        if not self._cell_bits:
            return keys_of_pixels(colors)
        middle = np.uint8(1 << (self._cell_bits - 1))
        cells = (colors & np.uint8(256 - (1 << self._cell_bits))) | middle
        cells[:, 3] = np.minimum(cells[:, 3], OPAQUE - 1)
        cells[colors[:, 3] == 0] = 0
        return keys_of_pixels(cells)


def _merged(histograms: list[Histogram]) -> Histogram:
    return merge([found for found in histograms if len(found)])


def _with_alpha(colors: Palette) -> Palette:
    return np.concatenate([colors, np.full((len(colors), 1), OPAQUE, np.uint8)], axis=1)
