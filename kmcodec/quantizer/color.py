"""
Premultiplied alpha: the space in which transparent colours are compared.

A colour of little opacity contributes little to what is seen, so its error counts little; all fully transparent
colours are one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kmcodec.indexed import Palette

OPAQUE = 255


def premultiply(colors: Palette) -> Palette:
    """RGB or RGBA colours, shape (n, C), with red, green and blue scaled by alpha, rounded; RGB comes back as it is."""
    if colors.shape[1] == 3:
        return colors
    alpha = colors[:, 3:].astype(np.uint16)
    scaled = (2 * colors[:, :3].astype(np.uint32) * alpha + OPAQUE) // (2 * OPAQUE)
    return np.concatenate([scaled.astype(np.uint8), colors[:, 3:]], axis=1)


def unpremultiply(colors: npt.NDArray[np.float64]) -> Palette:
    """
    The nearest RGB or RGBA colours with straight alpha.

    Args:
        colors: Shape (n, C), premultiplied, 0 to 255, not necessarily integers.
    """
    if colors.shape[1] == 3:
        return _to_bytes(colors)
    alpha = _to_bytes(colors[:, 3:])
    straight = colors[:, :3] * (OPAQUE / np.maximum(alpha, 1))
    visible = alpha > 0
    return np.concatenate([np.where(visible, _to_bytes(straight), np.uint8(0)), alpha], axis=1)


def _to_bytes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.clip(np.floor(values + 0.5), 0, 255).astype(np.uint8)
