"""
Pixels to a palette and labels, by k-means: the lossy half of kmcodec. It knows no bytes.

    histogram(pixels) → fit_palette(histogram, K) → label_pixels(pixels, palette), or dithered
"""

from __future__ import annotations

import numpy as np

from kmcodec.indexed import IndexedImage, Labels, Palette, Pixels
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.dither import FULL_STRENGTH, dither_floyd_steinberg, dither_ordered
from kmcodec.quantizer.histogram import Histogram, histogram
from kmcodec.quantizer.labels import label_pixels
from kmcodec.quantizer.options import DEFAULT_COLORS, ColorOptions, Options
from kmcodec.quantizer.palette import fit_palette
from kmcodec.quantizer.space import OKLAB, SRGB, Space

__all__ = [
    "DEFAULT_COLORS",
    "OKLAB",
    "SRGB",
    "ColorOptions",
    "Histogram",
    "Options",
    "Space",
    "fit_palette",
    "histogram",
    "label_pixels",
    "quantize_pixels",
]


def quantize_pixels(pixels: Pixels, options: Options) -> IndexedImage:
    """
    Reduce a picture to few colours.

    Args:
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        options: How.

    Returns:
        The picture. A given palette is in it as it was given.

    Raises:
        ValueError: The picture has too many colours for lossless.
    """
    named = options.kept if options.palette is None else options.palette
    pixels = _with_channels(pixels, max(pixels.shape[2], _channels_needed(named)))
    named = _with_channels(named, pixels.shape[2])
    colors = histogram(pixels)
    if options.lossless and len(colors) > options.count:
        raise ValueError(f"has {len(colors)} colours; lossless needs at most {options.count}")
    if options.palette is not None:
        return IndexedImage(options.palette, _labels(pixels, named, colors, options))
    palette = fit_palette(colors, options.count, space=options.metric, keep=named, rare=options.rare)
    return IndexedImage(palette, _labels(pixels, palette, colors, options))


def _labels(pixels: Pixels, palette: Palette, colors: Histogram, options: Options) -> Labels:
    if options.dither == "none":
        return label_pixels(pixels, palette, colors, space=options.metric)
    dither = dither_ordered if options.dither == "ordered" else dither_floyd_steinberg
    strength = round(options.dither_strength * FULL_STRENGTH)
    return dither(pixels, palette, colors, strength=strength, space=options.metric)


def _channels_needed(colors: Palette) -> int:
    """4 if there is transparency, else 3."""
    return 3 if colors.shape[1] == 3 or (colors[:, 3] == OPAQUE).all() else 4


def _with_channels(colors: Pixels, channels: int) -> Pixels:
    """Colours, shape (…, 3 or 4), without their alpha channel, or with one that is opaque where they have none."""
    if colors.shape[-1] >= channels:
        return colors[..., :channels]
    opaque = np.full((*colors.shape[:-1], 1), OPAQUE, np.uint8)
    return np.concatenate([colors, opaque], axis=-1)
