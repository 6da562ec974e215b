"""How good a picture is and how much it takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kmcodec.blocks import blocks
from kmcodec.expand import expand_labels
from kmcodec.indexed import IndexedImage, Pixels

_PEAK = 255


def psnr_db(original: Pixels, decoded: Pixels) -> float:
    """
    Peak signal-to-noise ratio, over all pixels and red, green and blue together.

    Pictures with alpha are compared as they look on black and on white, and the squared errors averaged; one without
    counts as opaque.

    Args:
        original: uint8, shape (height, width, 3 or 4).
        decoded: uint8, the same height and width.

    Returns:
        Decibels, higher is better; infinity where nothing differs.

    Raises:
        ValueError: Heights or widths differ.
    """
    if original.shape[:2] != decoded.shape[:2]:
        raise ValueError(f"pictures must be of one size, not {original.shape[:2]} and {decoded.shape[:2]}")
    return _psnr_db(original, lambda place: decoded[place])


def indexed_psnr_db(original: Pixels, indexed: IndexedImage) -> float:
    """As `psnr_db` of its pixels, which are never there all at once."""
    return _psnr_db(original, lambda place: expand_labels(indexed.palette, indexed.labels[place]))


def bits_per_pixel(file_bytes: int, pixels: int) -> float:
    """Size of a file, all of it, for each of its pixels."""
    return 8 * file_bytes / pixels


def _psnr_db(original: Pixels, decoded_at: Callable[[tuple[slice, slice]], Pixels]) -> float:
    height, width = original.shape[:2]
    error = sum(_squared_error(original[place], decoded_at(place)) for place in blocks(height, width))
    return 10 * math.log10(_PEAK**2 * 3 * height * width / error) if error else math.inf


def _squared_error(a: Pixels, b: Pixels) -> float:
    """Sum of squared differences; in float64, exact where there is no alpha."""
    if a.shape[2] == b.shape[2] == 3:
        difference = a.astype(np.int16) - b
        return float(np.square(difference, dtype=np.int32).sum(dtype=np.int64))
    total = 0.0
    for background in (0.0, 255.0):
        total += float(np.square(_composite(a, background) - _composite(b, background)).sum()) / 2
    return total


def _composite(pixels: Pixels, background: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    if pixels.shape[2] == 3:
        return pixels.astype(np.float64)
    alpha = pixels[..., 3:] / 255.0
    return pixels[..., :3] * alpha + background * (1 - alpha)
