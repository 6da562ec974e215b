"""Labels to colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kmcodec.compiled import compiled

_compiled = compiled("kmcodec._expand")  # NumPy takes 4 times as long


def expand_labels(
    palette: npt.NDArray[np.uint8], labels: npt.NDArray[np.unsignedinteger[Any]]
) -> npt.NDArray[np.uint8]:
    """
    Look up the colour of every label.

    Args:
        palette: Shape (K, C), C = 3 or 4.
        labels: Any shape, at least one.

    Returns:
        Shape labels.shape + (C,).

    Raises:
        ValueError: A label is not below K.
    """
    if len(palette) < 1 << 8 * labels.itemsize and int(labels.max()) >= len(palette):
        raise ValueError(f"label {int(labels.max())} in a palette of {len(palette)} colours")
    if _compiled is None:
        taken: npt.NDArray[np.uint8] = np.take(palette, labels, axis=0, mode="clip")
        return taken
    count, channels = palette.shape
    colors = np.zeros((count, 4), np.uint8)
    colors[:, :channels] = palette
    pixels = np.empty((labels.size, channels), np.uint8)
    _compiled.expand(colors, channels, np.ascontiguousarray(labels).reshape(-1), pixels)
    return pixels.reshape(*labels.shape, channels)
