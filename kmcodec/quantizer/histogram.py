"""
Weighted unique colours, by sorting.

A histogram is an exact summary of a picture for k-means, 5 to 60 times smaller than its pixels, and two
histograms add: many pictures, or the row blocks of a large one, give one histogram.

Colours are sorted by Morton code (the bits of the channels interleaved), so that neighbours in the histogram are
neighbours in colour: a run of it fits in a small box, and a prefix of the code is a cell of the colour cube.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import BLOCK_PIXELS, blocks
from kmcodec.indexed import Palette, Pixels
from kmcodec.quantizer.color import OPAQUE

Keys = npt.NDArray[np.uint32]
"""Morton codes: bit i of channel c of C stands at bit C·i + C − 1 − c."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """
    The unique colours of one or more pictures and how often each occurs.

    Attributes:
        keys: Shape (n,), Morton codes, strictly ascending.
        counts: Shape (n,), int64, pixels of that colour, ≥ 1.
        channels: 3 for RGB, 4 for RGBA.
        is_exact: Whether these are the colours themselves; else some stand for others near them (`counting.py`).
    """

    keys: Keys
    counts: npt.NDArray[np.int64]
    channels: int
    is_exact: bool = True

    def __len__(self) -> int:
        return len(self.keys)

    def __add__(self, other: Histogram) -> Histogram:
        """The histogram of both pictures together. Raises ValueError if one has alpha and the other has not."""
        return merge([self, other])

    @cached_property
    def colors(self) -> Palette:
        """The colours, shape (n, channels), uint8."""
        return colors_of_keys(self.keys, self.channels)


def histogram(pixels: Pixels) -> Histogram:
    """
    Count the colours of a picture, piece by piece, so that memory does not grow with its size.

    Args:
        pixels: Shape (height, width, 3 or 4).
    """
    channels = pixels.shape[2]
    total = HistogramSum()
    for block in blocks(*pixels.shape[:2]):
        total.add(count_keys(keys_of_pixels(pixels[block]), channels))
    return total.result()


class HistogramSum:
    """
    Adds histograms, one after the other, and keeps about as much of them as their sum takes.

    Where some have alpha and others have not, colours of these count as opaque.
    """

    def __init__(self) -> None:
        self._merged: list[Histogram] = []
        self._waiting: list[Histogram] = []

    def add(self, colors: Histogram) -> None:
        """Take one more."""
        self._waiting.append(colors)
        # merging only once as much waits as is merged keeps the whole at O(n log n)
        if sum(map(len, self._waiting)) >= max(BLOCK_PIXELS, sum(map(len, self._merged))):
            self._merged, self._waiting = [self.result()], []

    def result(self) -> Histogram:
        """The sum of what there is so far, one histogram at least."""
        histograms = self._merged + self._waiting
        if any(one.channels == 4 for one in histograms):
            histograms = [with_alpha(one) for one in histograms]
        return merge(histograms)


def with_alpha(colors: Histogram) -> Histogram:
    """The same colours with an alpha channel, opaque where they have none."""
    if colors.channels == 4:
        return colors
    opaque = np.full((len(colors), 1), OPAQUE, np.uint8)
    # all have the same alpha, so they stay in order
    return replace(colors, keys=keys_of_pixels(np.concatenate([colors.colors, opaque], axis=1)), channels=4)


def merge(histograms: list[Histogram]) -> Histogram:
    """The histogram of all pictures together. Raises ValueError if they differ in channels."""
    if len(histograms) == 1:
        return histograms[0]
    channels = histograms[0].channels
    if any(h.channels != channels for h in histograms):
        raise ValueError("histograms of RGB and of RGBA pictures do not add: convert one of them first")
    keys = np.concatenate([h.keys for h in histograms])
    merged = merge_equal(keys, np.concatenate([h.counts for h in histograms]), channels)
    return replace(merged, is_exact=all(h.is_exact for h in histograms))


def merge_equal(keys: Keys, counts: npt.NDArray[np.int64], channels: int) -> Histogram:
    """The histogram of colours in any order, among which some may be equal."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = run_starts(keys)
    return Histogram(keys[starts], np.add.reduceat(counts[order], starts), channels)


def run_starts(sorted_values: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
    """Where each run of equal values begins."""
    changes = np.flatnonzero(sorted_values[1:] != sorted_values[:-1])
    return np.concatenate([np.zeros(1, np.intp), changes + 1])


def keys_of_pixels(pixels: npt.NDArray[np.uint8]) -> Keys:
    """Morton codes of colours, shape (..., C) → (n,)."""
    channels = pixels.shape[-1]
    table = _spread_table(channels)
    keys = np.zeros(pixels.shape[:-1], np.uint32)
    for channel in range(channels):
        keys |= np.take(table << np.uint32(channels - 1 - channel), pixels[..., channel], mode="clip")
    return keys.reshape(-1)


def colors_of_keys(keys: Keys, channels: int) -> Palette:
    """The inverse of `keys_of_pixels`: shape (n,) → (n, channels)."""
    table = _gather_table(channels)
    low = np.take(table, keys & np.uint32(len(table) - 1), axis=0, mode="clip")
    high = np.take(table, keys >> np.uint32(4 * channels), axis=0, mode="clip")
    return (high << np.uint8(4)) | low


def count_keys(keys: Keys, channels: int) -> Histogram:
    """The histogram of pixels' keys, in any order, which are sorted in place."""
    keys.sort()
    starts = run_starts(keys)
    counts = np.diff(starts, append=len(keys)).astype(np.int64)
    return Histogram(keys[starts], counts, channels)


@cache
def _spread_table(channels: int) -> Keys:
    """The bits of every byte, `channels` apart."""
    values = np.arange(256, dtype=np.uint32)
    table = np.zeros(256, np.uint32)
    for bit in range(8):
        table |= ((values >> np.uint32(bit)) & np.uint32(1)) << np.uint32(channels * bit)
    return table


@cache
def _gather_table(channels: int) -> Palette:
    """The channels of every half of a Morton code: 4 bits a channel, shape (2^(4·channels), channels)."""
    codes = np.arange(1 << (4 * channels), dtype=np.uint32)
    table = np.zeros((len(codes), channels), np.uint8)
    for channel in range(channels):
        for bit in range(4):
            position = np.uint32(channels * bit + channels - 1 - channel)
            table[:, channel] |= (((codes >> position) & np.uint32(1)) << np.uint32(bit)).astype(np.uint8)
    return table
