"""
Pixels to a palette and labels, by k-means: the lossy half of kmcodec. It knows no bytes.

    histogram(pixels) → fit_palette(histogram, K) → label_pixels(pixels, palette), or dithered
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kmcodec.indexed import IndexedImage, Labels, Palette, Pixels
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.dither import FULL_STRENGTH, dither_floyd_steinberg, dither_ordered
from kmcodec.quantizer.histogram import Histogram, HistogramSum, histogram, with_alpha
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
    "HistogramSum",
    "Options",
    "Prepared",
    "Space",
    "fit_palette",
    "histogram",
    "label_pixels",
    "palette_of",
    "prepare",
    "quantize_pixels",
]


@dataclass(frozen=True, eq=False)
class Prepared:
    """
    A picture and the colours named for it, all with alpha or all without.

    Attributes:
        pixels: Shape (height, width, C).
        colors: Their histogram.
        palette: The palette given, shape (K, C), or None.
        keep: The colours to keep, shape (F, C).
        options: How the picture is to be reduced.
    """

    pixels: Pixels
    colors: Histogram
    palette: Palette | None
    keep: Palette
    options: Options

    def fit_palette(self, count: int) -> Palette:
        """At most `count` colours that stand for all, as `fit_palette` chooses them under the options."""
        options = self.options
        return fit_palette(self.colors, count, space=options.metric, keep=self.keep, rare=options.rare)


def prepare(pixels: Pixels, options: Options) -> Prepared:
    """
    Bring picture and options together.

    Args:
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        options: How it is to be reduced.

    Raises:
        ValueError: The picture has too many colours for lossless.
    """
    named = options.kept if options.palette is None else options.palette
    pixels = _with_channels(pixels, max(pixels.shape[2], _channels_needed(named)))
    named = _with_channels(named, pixels.shape[2])
    colors = histogram(pixels)
    _check_lossless(colors, options)
    given = options.palette is not None
    return Prepared(pixels, colors, named if given else None, named[: 0 if given else None], options)


def palette_of(colors: Histogram, options: Options) -> Palette:
    """
    The palette that `quantize_pixels` would choose for a picture, or for many together, by their histogram.

    Args:
        colors: All their colours.
        options: How they are to be reduced; without a palette.

    Returns:
        Shape (K', C), with alpha where a colour or one to keep has it.

    Raises:
        ValueError: There are too many colours for lossless.
    """
    channels = max(colors.channels, _channels_needed(options.kept))
    colors = with_alpha(colors) if channels == 4 else colors
    _check_lossless(colors, options)
    keep = _with_channels(options.kept, channels)
    return fit_palette(colors, options.count, space=options.metric, keep=keep, rare=options.rare)


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
    prepared = prepare(pixels, options)
    if options.palette is not None and prepared.palette is not None:
        return IndexedImage(options.palette, _labels(prepared, prepared.palette))
    palette = prepared.fit_palette(options.count)
    return IndexedImage(palette, _labels(prepared, palette))


def _labels(prepared: Prepared, palette: Palette) -> Labels:
    options = prepared.options
    if options.dither == "none":
        return label_pixels(prepared.pixels, palette, prepared.colors, space=options.metric)
    dither = dither_ordered if options.dither == "ordered" else dither_floyd_steinberg
    strength = round(options.dither_strength * FULL_STRENGTH)
    return dither(prepared.pixels, palette, prepared.colors, strength=strength, space=options.metric)


def _check_lossless(colors: Histogram, options: Options) -> None:
    if options.lossless and len(colors) > options.count:
        raise ValueError(f"has {len(colors)} colours; lossless needs at most {options.count}")


def _channels_needed(colors: Palette) -> int:
    """4 if there is transparency, else 3."""
    return 3 if colors.shape[1] == 3 or (colors[:, 3] == OPAQUE).all() else 4


def _with_channels(colors: Pixels, channels: int) -> Pixels:
    """Colours, shape (…, 3 or 4), without their alpha channel, or with one that is opaque where they have none."""
    if colors.shape[-1] >= channels:
        return colors[..., :channels]
    opaque = np.full((*colors.shape[:-1], 1), OPAQUE, np.uint8)
    return np.concatenate([colors, opaque], axis=-1)
