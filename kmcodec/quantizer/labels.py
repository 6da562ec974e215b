"""A label for every pixel: the nearest colour of a palette."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import blocks
from kmcodec.indexed import Labels, Palette, Pixels, label_dtype
from kmcodec.quantizer.color import OPAQUE, premultiply
from kmcodec.quantizer.histogram import Histogram, Keys, colors_of_keys, histogram, keys_of_pixels
from kmcodec.quantizer.nearest import nearest

_TABLE_PIXELS = 1 << 18
"""From this many pixels a table over all 2²⁴ colours is faster than a binary search a pixel."""


def label_pixels(pixels: Pixels, palette: Palette, colors: Histogram | None = None) -> Labels:
    """
    Give every pixel the label of its nearest palette colour, of equally near ones the first.

    Args:
        pixels: Shape (height, width, C).
        palette: Shape (K, C).
        colors: The histogram of these pixels, or of more, where it is known already.

    Returns:
        Shape (height, width).
    """
    colors = histogram(pixels) if colors is None else colors
    return _map_pixels(pixels, colors.keys, label_colors(colors.colors, palette).astype(label_dtype(len(palette))))


def label_colors(colors: Palette, palette: Palette) -> npt.NDArray[np.int32]:
    """
    The nearest palette colour of every colour, by squared distance of premultiplied colours: (n, C) → (n,).

    A colour that the palette has is its own nearest, although another may look the same at its opacity.
    """
    labels, _ = nearest(_coordinates(colors), _coordinates(palette))
    keys, palette_keys = keys_of_pixels(colors), keys_of_pixels(palette)
    order = np.argsort(palette_keys, kind="stable")
    places = order[np.searchsorted(palette_keys, keys, sorter=order).clip(max=len(palette) - 1)]
    return np.where(palette_keys[places] == keys, places, labels).astype(np.int32)


def _coordinates(colors: Palette) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(premultiply(colors).T, np.float32)


def _map_pixels(pixels: Pixels, keys: Keys, key_labels: Labels) -> Labels:
    height, width, channels = pixels.shape
    labels = np.empty((height, width), key_labels.dtype)
    if height * width < _TABLE_PIXELS:
        labels[:] = key_labels[np.searchsorted(keys, keys_of_pixels(pixels))].reshape(height, width)
        return labels
    table = _color_table(keys, key_labels, channels)
    for place in blocks(height, width):
        block = pixels[place]
        labels[place] = np.take(table, keys_of_pixels(block[..., :3]), mode="clip").reshape(block.shape[:2])
        if channels == 4:
            rest = block[..., 3] != OPAQUE
            labels[place][rest] = key_labels[np.searchsorted(keys, keys_of_pixels(block[rest]))]
    return labels


def _color_table(keys: Keys, key_labels: Labels, channels: int) -> Labels:
    """The labels of opaque colours, indexed by the Morton code of red, green and blue."""
    table = np.zeros(1 << 24, key_labels.dtype)
    if channels == 4:
        colors = colors_of_keys(keys, channels)
        opaque = colors[:, 3] == OPAQUE
        keys, key_labels = keys_of_pixels(colors[opaque, :3]), key_labels[opaque]
    table[keys] = key_labels
    return table
