"""Blocks of rows cut anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import BLOCK_PIXELS

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def regrouped(blocks: Iterable[_Array], rows: int | None = None) -> Iterator[_Array]:
    """
    The same rows in other blocks.

    Args:
        blocks: Of one width and type; shape (rows, width, …).
        rows: Rows of every block but the last, which may have fewer; None for as many as suit the work.
    """
    block: Any = None
    filled = 0
    for given in blocks:
        rows = max(1, BLOCK_PIXELS // given.shape[1]) if rows is None else rows
        taken = 0
        while taken < len(given):
            if block is None:
                block, filled = np.empty((rows, *given.shape[1:]), given.dtype), 0
            part = given[taken : taken + rows - filled]
            block[filled : filled + len(part)] = part
            filled, taken = filled + len(part), taken + len(part)
            if filled == rows:
                yield block
                block = None
    if block is not None:
        yield block[:filled]
