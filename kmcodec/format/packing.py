"""
Labels in a fixed number of bits each, most significant bit first (spec §7).

Labels of a strip follow one another without regard to rows; only the last byte is padded, with zero bits. Eight
divided by the greatest common divisor of 8 and the width is the number of labels that fill whole bytes: such groups
are worked on column by column.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from kmcodec.errors import FormatError
from kmcodec.indexed import Labels

WHOLE_WIDTHS = (1, 2, 4, 8, 16)
"""Widths that do not straddle bytes, in which zstd finds repeated labels."""


def bits_for(count: int) -> int:
    """The fewest bits that tell `count` labels apart: ceil(log2(count)), 0 for one."""
    return (count - 1).bit_length()


def widths_for(count: int) -> tuple[int, ...]:
    """The widths in which labels of a palette of `count` colours may be packed: the least, and the next whole one."""
    least = bits_for(count)
    if least == 0:
        return (0,)
    whole = next(width for width in WHOLE_WIDTHS if width >= least)
    return (least,) if whole == least else (least, whole)


def packed_size(count: int, bits: int) -> int:
    """Bytes that `count` labels of `bits` bits take."""
    return (count * bits + 7) // 8


def pack_labels(labels: Labels, bits: int) -> bytes:
    """
    Pack labels at a fixed width.

    Args:
        labels: Any shape; all below 2^bits.
        bits: Bits per label, 1 to 16.

    Returns:
        ceil(count · bits / 8) bytes.
    """
    flat = labels.reshape(-1)
    if bits == 8:
        return flat.astype(np.uint8, copy=False).tobytes()
    if bits == 16:
        return flat.astype(">u2").tobytes()
    group = _labels_per_group(bits)
    groups = np.zeros((-(-flat.size // group), group), flat.dtype)
    groups.reshape(-1)[: flat.size] = flat
    packed = np.zeros((len(groups), group * bits // 8), np.uint8)
    for label, byte, shift in _overlaps(bits):
        packed[:, byte] |= _shifted(groups[:, label], shift).astype(np.uint8)
    return packed.reshape(-1)[: packed_size(flat.size, bits)].tobytes()


def unpack_labels(packed: bytes, count: int, bits: int) -> Labels:
    """
    Unpack labels of a fixed width.

    Args:
        packed: Exactly ceil(count · bits / 8) bytes.
        count: Number of labels.
        bits: Bits per label, 1 to 16.

    Returns:
        Shape (count,), uint8 up to 8 bits, else uint16; it may not be writable.

    Raises:
        FormatError: The length is wrong, or padding bits are not zero.
    """
    if len(packed) != packed_size(count, bits):
        raise FormatError(f"labels: {len(packed)} bytes, where {count} labels of {bits} bits take other than that")
    padding = -count * bits % 8
    if padding and packed[-1] & ((1 << padding) - 1):
        raise FormatError("labels: the bits after the last label are not zero")
    if bits == 8:
        return np.frombuffer(packed, np.uint8)
    if bits == 16:
        return np.frombuffer(packed, ">u2").astype(np.uint16)
    if 8 % bits == 0:
        return np.take(_unpacked_bytes(bits), np.frombuffer(packed, np.uint8), mode="clip").view(np.uint8)[:count]
    group = _labels_per_group(bits)
    bytes_per_group = group * bits // 8
    columns = np.zeros((-(-count // group), bytes_per_group), np.uint8)
    columns.reshape(-1)[: len(packed)] = np.frombuffer(packed, np.uint8)
    wide = columns if bits <= 8 else columns.astype(np.uint16)
    labels = np.zeros((len(columns), group), wide.dtype)
    mask = wide.dtype.type((1 << bits) - 1)
    for label, byte, shift in _overlaps(bits):
        labels[:, label] |= _shifted(wide[:, byte], -shift) & mask
    return labels.reshape(-1)[:count]


@cache
def _unpacked_bytes(bits: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The labels of every byte, side by side in one integer, for 1, 2 or 4 bits: one look-up gives them all."""
    shifts = np.arange(8 - bits, -1, -bits)
    labels = (np.arange(256)[:, None] >> shifts & ((1 << bits) - 1)).astype(np.uint8)
    return labels.view(f"u{len(shifts)}").reshape(256)


def _labels_per_group(bits: int) -> int:
    return 8 // gcd(8, bits)


def _overlaps(bits: int) -> Iterator[tuple[int, int, int]]:
    """Which label of a group shares bits with which byte, and by how much the label is shifted left to fall there."""
    for label in range(_labels_per_group(bits)):
        first, last = label * bits, label * bits + bits - 1
        for byte in range(first // 8, last // 8 + 1):
            yield label, byte, (8 * byte + 7) - last


def _shifted(values: Labels, left: int) -> Labels:
    amount = values.dtype.type(abs(left))
    return values << amount if left >= 0 else values >> amount
