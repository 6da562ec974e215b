"""
Labels to flags and back, compiled where the package was built with a compiler.

Flags are packed eight a byte, the least significant bit first; 1 says that the guess was wrong.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kmcodec.compiled import compiled
from kmcodec.errors import FormatError
from kmcodec.format.leb128 import parse_leb128
from kmcodec.format.prediction.parameters import Parameters
from kmcodec.indexed import Labels, Palette, label_dtype

STREAMS = 8

_compiled = compiled("kmcodec.format.prediction._kernel")


def compiled_kernel() -> Any:
    """The compiled module, or None where the package was built without a compiler."""
    return _compiled


@dataclass(frozen=True)
class Flags:
    """
    One stream of flags.

    Attributes:
        packed: ceil(count / 8) bytes.
        count: Number of flags.
    """

    packed: bytes
    count: int


def encode_flags(labels: Labels, palette: Palette, parameters: Parameters) -> list[Flags]:
    """
    Predict labels.

    Args:
        labels: Shape (height, width), all below K.
        palette: Shape (K, C), K ≥ 2.
        parameters: Of the model.

    Returns:
        Eight streams, the least sure guesses first.
    """
    if _compiled is None:
        from kmcodec.format.prediction.model import encode

        _warn_that_it_is_slow()
        return [Flags(packed, count) for packed, count in encode(labels, palette, parameters)]
    streams = _compiled.encode(
        np.ascontiguousarray(labels, np.uint16),
        np.ascontiguousarray(palette),
        parameters.context_set,
        parameters.table_bits,
        parameters.sparse,
    )
    return [Flags(packed, count) for packed, count in streams]


def decode_flags(streams: list[bytes], shape: tuple[int, int], palette: Palette, parameters: Parameters) -> Labels:
    """
    The inverse of `encode_flags`.

    Args:
        streams: Eight streams of packed flags; after its end a stream goes on as zeros.
        shape: Height and width.
        palette: Shape (K, C), K ≥ 2.
        parameters: Of the model.

    Returns:
        Shape (height, width).

    Raises:
        FormatError: The flags lead past the palette, or some are left over.
    """
    if _compiled is None:
        from kmcodec.format.prediction.model import decode

        _warn_that_it_is_slow()
        return decode(streams, shape, palette, parameters).astype(label_dtype(len(palette)))
    labels = np.empty(shape, np.uint16)
    fits = _compiled.decode(
        streams,
        np.ascontiguousarray(palette),
        parameters.context_set,
        parameters.table_bits,
        parameters.sparse,
        labels,
    )
    if not fits:
        raise FormatError("its flags do not fit the picture")
    return labels.astype(label_dtype(len(palette)), copy=False)


def unpack_fives(fives: bytes, limit: int) -> bytes:
    """
    Flags that are stored five a byte, the least significant bit first.

    Raises:
        FormatError: A byte is above 31, the last is zero, or there are more than `limit` flags.
    """
    if not fives or not fives[-1] or 5 * (len(fives) - 1) + fives[-1].bit_length() > limit:
        raise FormatError("a stream of fives has flags that nothing asks for")
    out = np.zeros((5 * len(fives) + 7) // 8, np.uint8)
    if _compiled is not None:
        if not _compiled.unpack_fives(fives, out):
            raise FormatError("a stream of fives has a byte above 31")
        return out.tobytes().rstrip(b"\0")
    values = np.frombuffer(fives, np.uint8)
    if values.max() > 31:
        raise FormatError("a stream of fives has a byte above 31")
    flags = values[:, None] >> np.arange(5, dtype=np.uint8) & 1
    return np.packbits(flags.reshape(-1), bitorder="little").tobytes().rstrip(b"\0")


def unpack_gaps(gaps: bytes, longest: int, limit: int) -> bytes:
    """
    Flags that are stored as the numbers of zeros before each one; `longest` says: that many, and go on.

    Raises:
        FormatError: A byte is above `longest`, the last is `longest`, or there are more than `limit` flags.
    """
    steps = np.frombuffer(gaps, np.uint8)
    if not gaps or gaps[-1] == longest or int(steps.max()) > longest:
        raise FormatError("a stream of gaps is damaged")
    count = int(steps.sum(dtype=np.int64)) + np.count_nonzero(steps != longest)
    if count > limit:
        raise FormatError("a stream of gaps has flags that nothing asks for")
    if _compiled is not None:
        out = np.empty(count // 8 + 1, np.uint8)
        return out[: _compiled.unpack_gaps(gaps, longest, count, out)].tobytes()
    flags = np.zeros(count, np.uint8)
    flags[np.cumsum(steps.astype(np.int64) + (steps != longest))[steps != longest] - 1] = 1
    return np.packbits(flags, bitorder="little").tobytes()


def unpack_long_gaps(gaps: bytes, limit: int) -> bytes:
    """
    Flags that are stored as the numbers of zeros before each one, in LEB128.

    Raises:
        FormatError: A number is cut off or not in its shortest form, or there are more than `limit` flags.
    """
    if not gaps or len(gaps) > limit:  # a gap of n bytes is of at least n flags
        raise FormatError("a stream of gaps has flags that nothing asks for")
    if _compiled is not None:
        out = np.empty(limit // 8 + 1, np.uint8)
        used = _compiled.unpack_long_gaps(gaps, limit, out)
        if used < 0:
            raise FormatError("a stream of gaps is damaged")
        return out[:used].tobytes()
    position = ones = 0
    flags = np.zeros(limit, np.uint8)
    while position < len(gaps):
        try:
            gap, position = parse_leb128(gaps, position)
        except FormatError:
            raise FormatError("a stream of gaps is damaged") from None
        ones += gap + 1
        if ones > limit:
            raise FormatError("a stream of gaps is damaged")
        flags[ones - 1] = 1
    return np.packbits(flags[:ones], bitorder="little").tobytes()


@cache
def _warn_that_it_is_slow() -> None:
    warnings.warn(
        "kmcodec was installed without a C compiler: predicted coding takes minutes a megapixel",
        RuntimeWarning,
        stacklevel=2,
    )
