"""Large pictures piece by piece, so that what is computed on the way does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_PIXELS = 1 << 21
"""Pixels worked on at once: enough for NumPy, few enough that temporaries do not count."""


def blocks(height: int, width: int, most: int = BLOCK_PIXELS) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of pieces that cover a picture: whole rows, or parts of one that is longer than a piece."""
    columns = min(width, most)
    rows = max(1, most // columns)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))
