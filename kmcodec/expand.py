"""Labels to colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kmcodec.compiled import compiled

_compiled = compiled("kmcodec._expand")  # NumPy takes 4 times as long


def expand_labels(
    palette: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.unsignedinteger[Any]],
    *,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """
    Look up the colour of every label.

    Args:
        palette: Shape (K, C), C = 3 or 4.
        labels: Any shape, at least one.
        out: Where to put them, C-contiguous, shape labels.shape + (C,); None for a new array.

    Returns:
        Shape labels.shape + (C,).

    Raises:
        ValueError: A label is not below K.
    """
    count, channels = palette.shape
    if count < 1 << 8 * labels.itemsize and int(labels.max()) >= count:
        raise ValueError(f"label {int(labels.max())} in a palette of {count} colours")
    pixels = np.empty((*labels.shape, channels), np.uint8) if out is None else out
    if _compiled is None:
        np.take(palette, labels, axis=0, out=pixels, mode="clip")
        return pixels
    colors = np.zeros((count, 4), np.uint8)
    colors[:, :channels] = palette
    _compiled.expand(colors, channels, np.ascontiguousarray(labels).reshape(-1), pixels.reshape(-1, channels))
    return pixels
