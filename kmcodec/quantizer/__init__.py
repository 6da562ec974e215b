"""
Pixels to a palette and labels, by k-means: the lossy half of kmcodec. It knows no bytes.

    histogram(pixels) → fit_palette(histogram, K) → label_pixels(pixels, palette)
"""

from __future__ import annotations

from kmcodec.indexed import IndexedImage, Pixels
from kmcodec.quantizer.histogram import Histogram, histogram
from kmcodec.quantizer.labels import label_pixels
from kmcodec.quantizer.palette import fit_palette

__all__ = ["Histogram", "fit_palette", "histogram", "label_pixels", "quantize_pixels"]


def quantize_pixels(pixels: Pixels, count: int) -> IndexedImage:
    """
    Reduce a picture to at most `count` colours: the palette of least squared error, every pixel its nearest colour.

    Args:
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        count: K, 1 to 65 536.
    """
    colors = histogram(pixels)
    palette = fit_palette(colors, count)
    return IndexedImage(palette, label_pixels(pixels, palette, colors))
