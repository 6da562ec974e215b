"""How much the error of each pixel counts: less where the picture is busy, since texture hides it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import BLOCK_PIXELS
from kmcodec.format.prediction.chooser import WEIGHT_ONE
from kmcodec.indexed import Pixels
from kmcodec.quantizer.color import premultiply

_RADIUS = 2
_FLOOR = 30  # variance at which an error is half hidden
_LEAST, _MOST = 0.2, 4.0
_FINE = 1 << 20

_LUMA = (299, 587, 114)


def activity_weights(pixels: Pixels) -> npt.NDArray[np.uint16]:
    """
    The weight of every pixel's squared error: (variance of luma in 5 × 5 + 30)^−½ over its mean, within 0.2 to 4.

    Without weights, the bits saved at equal PSNR are those of faint texture, which SSIM and the eye miss.

    Args:
        pixels: Shape (height, width, 3 or 4).

    Returns:
        Shape (height, width), 256 = 1.
    """
    height, width = pixels.shape[:2]
    rows = max(1, BLOCK_PIXELS // width)
    tops = range(0, height, rows)
    fine = [_inverse_deviation(pixels, top, min(top + rows, height)) for top in tops]
    total = sum(int(block.sum(dtype=np.int64)) for block in fine)
    weights = np.empty((height, width), np.uint16)
    for top, block in zip(tops, fine, strict=True):
        relative = WEIGHT_ONE * block.astype(np.int64) * (height * width) // total
        weights[top : top + len(block)] = relative.clip(int(_LEAST * WEIGHT_ONE), int(_MOST * WEIGHT_ONE))
    return weights


def _inverse_deviation(pixels: Pixels, top: int, bottom: int) -> npt.NDArray[np.uint32]:
    """(variance + 30)^−½ in steps of 2⁻²⁰; integers, and square roots, which are the same everywhere."""
    above, below = min(_RADIUS, top), min(_RADIUS, len(pixels) - bottom)
    block = premultiply(pixels[top - above : bottom + below].reshape(-1, pixels.shape[2])).astype(np.int32)
    block = block.reshape(-1, *pixels.shape[1:])
    luma = sum(share * block[..., channel] for channel, share in enumerate(_LUMA)) // sum(_LUMA)
    margins = ((_RADIUS - above, _RADIUS - below), (_RADIUS, _RADIUS))
    luma = np.pad(luma, margins, mode="edge")
    area = (2 * _RADIUS + 1) ** 2
    variance = _box_sums(luma * luma) / area - np.square(_box_sums(luma) / area)
    inverse: npt.NDArray[np.float64] = _FINE / np.sqrt(np.maximum(variance, 0) + _FLOOR)
    return inverse.astype(np.uint32)


def _box_sums(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Sums over 5 × 5, of what lies 2 within the border."""
    size = 2 * _RADIUS + 1
    height, width = values.shape
    across = np.zeros((height, width - size + 1), np.int32)
    for i in range(size):
        across += values[:, i : width - size + 1 + i]
    sums = np.zeros((height - size + 1, width - size + 1), np.int32)
    for i in range(size):
        sums += across[i : height - size + 1 + i]
    return sums
