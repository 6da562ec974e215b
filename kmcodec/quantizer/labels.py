"""A label for every pixel: the nearest colour of a palette."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import BLOCK_PIXELS, blocks
from kmcodec.indexed import Labels, Palette, Pixels, label_dtype
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.histogram import Histogram, Keys, colors_of_keys, histogram, keys_of_pixels
from kmcodec.quantizer.nearest import nearest
from kmcodec.quantizer.space import SRGB, Space

_Value = TypeVar("_Value", bound=np.generic)

_TABLE_PIXELS = 1 << 18
"""From this many pixels, for values of a byte, a table over all 2²⁴ colours is faster than a binary search a pixel."""


def label_pixels(pixels: Pixels, palette: Palette, colors: Histogram | None = None, *, space: Space = SRGB) -> Labels:
    """
    Give every pixel the label of its nearest palette colour, of equally near ones the first.

    Args:
        pixels: Shape (height, width, C).
        palette: Shape (K, C).
        colors: The histogram of these pixels, or of more, where it is known already.
        space: Where distances are measured.

    Returns:
        Shape (height, width).
    """
    colors = histogram(pixels) if colors is None else colors
    return NearestLabels(palette, colors, pixels.shape[0] * pixels.shape[1], space)(pixels)


class NearestLabels:
    """Nearest labels for pictures, or blocks of one, whose colours are known: as `label_pixels`."""

    def __init__(self, palette: Palette, colors: Histogram, pixels: int, space: Space = SRGB) -> None:
        """
        Args:
            palette: Shape (K, C).
            colors: All colours there are.
            pixels: How many pixels there are, about: for many it pays to prepare more.
            space: Where distances are measured.
        """
        labels = label_colors(colors.colors, palette, space).astype(label_dtype(len(palette)))
        self._map = _ColorMap(colors.keys, labels, colors.channels, pixels)

    def __call__(self, pixels: Pixels) -> Labels:
        """The labels of pixels, shape (height, width, C) → (height, width)."""
        return self._map(pixels)


def label_colors(colors: Palette, palette: Palette, space: Space = SRGB) -> npt.NDArray[np.int32]:
    """
    The nearest palette colour of every colour, by squared distance in a space: (n, C) → (n,).

    A colour that the palette has is its own nearest, although another may look the same at its opacity.
    """
    entries = space.coordinates(palette)
    found = np.empty(len(colors), np.int32)
    for start in range(0, len(colors), BLOCK_PIXELS):
        piece = colors[start : start + BLOCK_PIXELS]
        labels, _ = nearest(space.coordinates(piece), entries)
        own = places_in_palette(keys_of_pixels(piece), palette)
        found[start : start + BLOCK_PIXELS] = np.where(own >= 0, own, labels)
    return found


def places_in_palette(keys: Keys, palette: Palette) -> npt.NDArray[np.intp]:
    """Where the palette has exactly these colours, at first: shape (n,), −1 for those that it does not have."""
    palette_keys = keys_of_pixels(palette)
    order = np.argsort(palette_keys, kind="stable")
    places = order[np.searchsorted(palette_keys, keys, sorter=order).clip(max=len(palette) - 1)]
    return np.where(palette_keys[places] == keys, places, -1)


def map_pixels(pixels: Pixels, keys: Keys, key_labels: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
    """
    Give every pixel the value of its colour.

    Args:
        pixels: Shape (height, width, C).
        keys: Morton codes of all their colours, ascending, shape (n,).
        key_labels: The value of each, shape (n,).

    Returns:
        Shape (height, width).
    """
    height, width, channels = pixels.shape
    return _ColorMap(keys, key_labels, channels, height * width)(pixels)


class _ColorMap(Generic[_Value]):
    """A value for every colour: by a table of opaque ones where there are many pixels, else by search."""

    def __init__(self, keys: Keys, values: npt.NDArray[_Value], channels: int, pixels: int) -> None:
        self._keys, self._values = keys, values
        by_table = pixels >= _TABLE_PIXELS * values.itemsize
        self._table = _color_table(keys, values, channels) if by_table else None

    def __call__(self, pixels: Pixels) -> npt.NDArray[_Value]:
        height, width, channels = pixels.shape
        found = np.empty((height, width), self._values.dtype)
        for place in blocks(height, width):
            block = pixels[place]
            if self._table is None:
                found[place] = self._search(block).reshape(block.shape[:2])
                continue
            found[place] = np.take(self._table, keys_of_pixels(block[..., :3]), mode="clip").reshape(block.shape[:2])
            if channels == 4:
                rest = block[..., 3] != OPAQUE
                found[place][rest] = self._search(block[rest])
        return found

    def _search(self, colors: npt.NDArray[np.uint8]) -> npt.NDArray[_Value]:
        return np.take(self._values, np.searchsorted(self._keys, keys_of_pixels(colors)), mode="clip")


def _color_table(keys: Keys, key_labels: npt.NDArray[_Value], channels: int) -> npt.NDArray[_Value]:
    """The labels of opaque colours, indexed by the Morton code of red, green and blue."""
    table = np.zeros(1 << 24, key_labels.dtype)
    if channels == 4:
        colors = colors_of_keys(keys, channels)
        opaque = colors[:, 3] == OPAQUE
        keys, key_labels = keys_of_pixels(colors[opaque, :3]), key_labels[opaque]
    table[keys] = key_labels
    return table
