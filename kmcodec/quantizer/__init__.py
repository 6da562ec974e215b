"""
Pixels to a palette and labels, by k-means: the lossy half of kmcodec. It knows no bytes.

    histogram(pixels) → fit_palette(histogram, K) → label_pixels(pixels, palette), or dithered

or, for a picture that comes in blocks of rows, ColorCounter → plan → row_labels, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kmcodec.indexed import IndexedImage, Labels, Palette, Pixels
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.counting import ColorCounter
from kmcodec.quantizer.dither import (
    FULL_STRENGTH,
    FloydSteinbergLabels,
    OrderedLabels,
    dither_floyd_steinberg,
    dither_ordered,
    is_exact,
)
from kmcodec.quantizer.histogram import Histogram, HistogramSum, histogram, with_alpha
from kmcodec.quantizer.labels import NearestLabels, label_pixels
from kmcodec.quantizer.options import DEFAULT_COLORS, ColorOptions, Options
from kmcodec.quantizer.palette import fit_palette
from kmcodec.quantizer.space import OKLAB, SRGB, Space

__all__ = [
    "DEFAULT_COLORS",
    "OKLAB",
    "SRGB",
    "ColorCounter",
    "ColorOptions",
    "Histogram",
    "HistogramSum",
    "Options",
    "Plan",
    "Prepared",
    "Space",
    "channels_for",
    "fit_palette",
    "histogram",
    "label_pixels",
    "palette_of",
    "plan",
    "prepare",
    "quantize_pixels",
    "row_labels",
    "with_channels",
]


@dataclass(frozen=True, eq=False)
class Plan:
    """
    The colours of a picture and those named for it, all with alpha or all without: what decides its palette.

    Attributes:
        colors: The histogram of the picture.
        palette: The palette given, shape (K, C), or None.
        keep: The colours to keep, shape (F, C).
        options: How the picture is to be reduced.
    """

    colors: Histogram
    palette: Palette | None
    keep: Palette
    options: Options

    def fit_palette(self, count: int) -> Palette:
        """At most `count` colours that stand for all, as `fit_palette` chooses them under the options."""
        options = self.options
        return fit_palette(self.colors, count, space=options.metric, keep=self.keep, rare=options.rare)

    def chosen_palette(self) -> Palette:
        """The palette given, with or without alpha as the picture, or the one that fits."""
        return self.fit_palette(self.options.count) if self.palette is None else self.palette


@dataclass(frozen=True, eq=False)
class Prepared(Plan):
    """
    A plan and the picture.

    Attributes:
        pixels: Shape (height, width, C).
    """

    pixels: Pixels


def prepare(pixels: Pixels, options: Options) -> Prepared:
    """
    Bring picture and options together.

    Args:
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        options: How it is to be reduced.

    Raises:
        ValueError: The picture has too many colours for lossless.
    """
    pixels = with_channels(pixels, channels_for(pixels.shape[2], options))
    return Prepared(**vars(plan(histogram(pixels), options)), pixels=pixels)


def plan(colors: Histogram, options: Options) -> Plan:
    """
    Bring a picture's colours and options together.

    Args:
        colors: Of the picture, with as many channels as `channels_for` tells.
        options: How it is to be reduced.

    Raises:
        ValueError: The picture has too many colours for lossless.
    """
    if options.lossless and len(colors) > options.count:
        raise ValueError(f"has {len(colors)} colours; lossless needs at most {options.count}")
    named = with_channels(_named(options), colors.channels)
    given = options.palette is not None
    return Plan(colors, named if given else None, named[: 0 if given else None], options)


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
    colors = with_alpha(colors) if channels_for(colors.channels, options) == 4 else colors
    return plan(colors, options).chosen_palette()


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
    palette = prepared.chosen_palette()
    return IndexedImage(palette if options.palette is None else options.palette, _labels(prepared, palette))


def _labels(prepared: Prepared, palette: Palette) -> Labels:
    options = prepared.options
    if options.dither == "none":
        return label_pixels(prepared.pixels, palette, prepared.colors, space=options.metric)
    dither = dither_ordered if options.dither == "ordered" else dither_floyd_steinberg
    strength = _strength(options)
    return dither(prepared.pixels, palette, prepared.colors, strength=strength, space=options.metric)


def row_labels(plan: Plan, palette: Palette, shape: tuple[int, int]) -> Callable[[Pixels], Labels]:
    """
    What labels a picture block by block.

    Args:
        plan: The plan.
        palette: Its `chosen_palette`.
        shape: Height and width of the picture.

    Returns:
        A function to call with its blocks of rows in order, shape (rows, width, C) → (rows, width). They get the labels
        that `quantize_pixels` gives them.
    """
    height, width = shape
    options, space = plan.options, plan.options.metric
    strength = _strength(options)
    if options.dither == "none" or is_exact(plan.colors, palette, strength):
        if not plan.colors.is_exact:  # too many to prepare for: every block by its own
            return lambda pixels: label_pixels(pixels, palette, space=space)
        return NearestLabels(palette, plan.colors, height * width, space)
    if options.dither == "ordered":
        return OrderedLabels(palette, strength=strength, space=space)
    return FloydSteinbergLabels(palette, width, strength=strength, space=space)


def channels_for(channels: int, options: Options) -> int:
    """4 if a picture of so many channels, or a colour named for it, has transparency, else 3."""
    return max(channels, _channels_needed(_named(options)))


def with_channels(colors: Pixels, channels: int) -> Pixels:
    """Colours, shape (…, 3 or 4), without their alpha channel, or with one that is opaque where they have none."""
    if colors.shape[-1] >= channels:
        return colors[..., :channels]
    opaque = np.full((*colors.shape[:-1], 1), OPAQUE, np.uint8)
    return np.concatenate([colors, opaque], axis=-1)


def _strength(options: Options) -> int:
    return round(options.dither_strength * FULL_STRENGTH)


def _named(options: Options) -> Palette:
    return options.kept if options.palette is None else options.palette


def _channels_needed(colors: Palette) -> int:
    """4 if there is transparency, else 3."""
    return 3 if colors.shape[1] == 3 or (colors[:, 3] == OPAQUE).all() else 4
