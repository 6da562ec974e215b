"""What the encoder chooses about the model: one byte in the header (spec §8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from kmcodec.errors import FormatError

MIN_TABLE_BITS = 8
MAX_TABLE_BITS = 18
"""Larger tables would save another percent at twice the time, and make a decoder allocate up to half a gigabyte."""

MAX_WIDTH = (1 << 31) - 1
"""The longest rows that predict.c codes."""


class ContextSet(IntEnum):
    """What the model looks at; the numbers are those of predict.h."""

    SMOOTH = 0
    MIDDLE = 1
    RICH = 2
    DEEP = 3
    GRAPHICS = 4


@dataclass(frozen=True)
class Parameters:
    """
    Attributes:
        context_set: What the model looks at.
        table_bits: Binary logarithm of the lines of a hashed table, 8 to 18; above 8 at most that of a strip's pixels.
        sparse: Three flag streams in place of eight, for pictures too small to fill those.
    """

    context_set: ContextSet
    table_bits: int
    sparse: bool = False

    @property
    def streams(self) -> int:
        """Number of flag streams."""
        return 3 if self.sparse else 8

    def fit(self, strip_pixels: int) -> bool:
        """Whether a whole strip of so many pixels may have these: the tables of a tiny picture take little memory."""
        return self.table_bits == MIN_TABLE_BITS or 1 << self.table_bits <= strip_pixels

    def __int__(self) -> int:
        return self.context_set | self.sparse << 3 | self.table_bits - MIN_TABLE_BITS << 4


def parse_parameters(byte: int) -> Parameters:
    """The inverse of `int(parameters)`. Raises FormatError for a byte that no parameters have."""
    context_set, table_bits = byte & 7, (byte >> 4) + MIN_TABLE_BITS
    if context_set not in set(ContextSet) or table_bits > MAX_TABLE_BITS:
        raise FormatError(f"parameters {byte:#04x} of predicted coding do not exist")
    return Parameters(ContextSet(context_set), table_bits, bool(byte & 8))
