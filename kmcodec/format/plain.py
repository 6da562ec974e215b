"""Plain coding of a strip (spec §7): labels packed at a fixed width, then stored as they are or as one zstd frame."""

from __future__ import annotations

import numpy as np

from kmcodec.errors import FormatError
from kmcodec.format.frames import store, unstore
from kmcodec.format.packing import pack_labels, packed_size, unpack_labels
from kmcodec.indexed import Labels, label_dtype


def encode_plain(labels: Labels, bits: int, *, level: int, min_match: int) -> bytes:
    """Labels of a strip, any shape, to its payload, at `bits` bits per label; the rest is for `store`."""
    return store(pack_labels(labels, bits), level=level, min_match=min_match)


def decode_plain(payload: bytes, shape: tuple[int, int], bits: int, colors: int, *, what: str) -> Labels:
    """
    The inverse of `encode_plain`.

    Args:
        payload: Result of `encode_plain`.
        shape: Rows and width.
        bits: Bits per label.
        colors: Palette size, K.
        what: Which strip it is, for the message of an error.

    Returns:
        Shape (rows, width); it may not be writable.

    Raises:
        FormatError: The payload is damaged, or a label is not below K.
    """
    count = shape[0] * shape[1]
    labels = unpack_labels(unstore(payload, packed_size(count, bits), what=what), count, bits)
    if colors < 1 << bits and int(np.max(labels)) >= colors:
        raise FormatError(f"{what}: label {int(np.max(labels))} in a palette of {colors} colours")
    return labels.reshape(shape).astype(label_dtype(colors), copy=False)
