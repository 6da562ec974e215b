"""
The palette as bytes (spec §4): channel by channel, each as differences from one colour to the next, modulo 256.

In a palette in tree order neighbours are alike, so the differences are small, and zstd finds them easier to store.
"""

from __future__ import annotations

import numpy as np

from kmcodec.format.frames import store, unstore
from kmcodec.indexed import Palette

_LEVEL = 19


def encode_palette(palette: Palette) -> bytes:
    """Palette, shape (K, C), to bytes as `frames.store` leaves them."""
    planes = palette.T
    return store(np.diff(planes, axis=1, prepend=np.uint8(0)).tobytes(), level=_LEVEL)


def decode_palette(stored: bytes, colors: int, channels: int) -> Palette:
    """
    The inverse of `encode_palette`.

    Raises:
        FormatError: The bytes do not hold a palette of this shape.
    """
    planes = np.frombuffer(unstore(stored, colors * channels, what="palette"), np.uint8).reshape(channels, colors)
    return np.ascontiguousarray(np.cumsum(planes, axis=1, dtype=np.uint8).T)
