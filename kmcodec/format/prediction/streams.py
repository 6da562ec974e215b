"""
Flag streams to bytes and back (spec §8.2).

Every stream is stored in the smallest of its forms; zstd is the only entropy coder. Gaps win below one wrong guess in
six, fives above. Both come within 1 % of the entropy of the flags, because zstd's Huffman coder sees a skewed alphabet
in either, and the smaller the alphabet, the shorter its table: against 8 flags a byte and gaps to 255 alone they save
3.7 % of a photo, and fives and short gaps 2 % of a small screen.

The table of streams precedes them: form + 8 · length of every stream but the last, of that only the form, since
its length is what remains.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from kmcodec.errors import FormatError
from kmcodec.format.frames import compress_symbols, expand_symbols
from kmcodec.format.leb128 import parse_leb128, to_leb128
from kmcodec.format.prediction.kernel import Flags, unpack_fives, unpack_gaps, unpack_long_gaps


class Form(IntEnum):
    """How a stream is stored."""

    EMPTY = 0  # no wrong guess
    PACKED = 1  # 8 flags a byte, trailing zero bytes left out
    FIVES = 2  # 5 flags a byte, trailing zero bytes left out; zstd
    GAPS = 3  # zeros before each one, in LEB128
    GAPS_31 = 4  # the same in a byte, 31 says 31 and go on; zstd
    GAPS_63 = 5
    GAPS_127 = 6
    GAPS_255 = 7


_LONGEST = {Form.GAPS_31: 31, Form.GAPS_63: 63, Form.GAPS_127: 127, Form.GAPS_255: 255}
_GAPS_BELOW = 0.3  # share of wrong guesses; far from where the forms cross, so that none is missed
_LONG_GAPS_BELOW = 0.01
_FIVES_ABOVE = 0.1
_MATCHES_BELOW = 0.05  # so few wrong guesses repeat where the picture does
_TRY_ALL_BELOW = 4096  # bytes, packed


def join_streams(streams: list[Flags]) -> bytes:
    """Table and streams, each in its smallest form."""
    stored = [_store(flags) for flags in streams]
    table = b"".join(to_leb128(form + len(Form) * len(data)) for form, data in stored[:-1])
    return table + bytes([stored[-1][0]]) + b"".join(data for _, data in stored)


def split_streams(data: bytes, count: int, limit: int) -> list[bytes]:
    """
    The inverse of `join_streams`.

    Args:
        data: Table and streams.
        count: Number of streams.
        limit: Most flags of all streams.

    Returns:
        Packed flags of each stream, without zeros at the end.

    Raises:
        FormatError: The table or a stream is damaged.
    """
    position = 0
    entries = []
    for _ in range(count - 1):
        value, position = parse_leb128(data, position)
        entries.append((value % len(Form), value // len(Form)))
    if position >= len(data) or data[position] >= len(Form):
        raise FormatError("its table of streams is damaged")
    rest = len(data) - position - 1 - sum(length for _, length in entries)
    entries.append((data[position], rest))
    position += 1
    if rest < 0:
        raise FormatError("its streams end early")
    streams: list[bytes] = []
    most_symbols = limit // 3 + 1  # of gaps, which pay below one wrong guess in three
    for form, length in entries:
        streams.append(_load(Form(form), data[position : position + length], limit, most_symbols))
        position += length
        limit -= max(0, 8 * len(streams[-1]) - 7)  # its last byte holds a flag that is used
    return streams


def _store(stream: Flags) -> tuple[Form, bytes]:
    packed = stream.packed.rstrip(b"\0")
    if not packed:
        return Form.EMPTY, b""
    flags = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    share = float(np.count_nonzero(flags) / stream.count)
    forms = [(Form.PACKED, packed)]
    if share > _FIVES_ABOVE:
        forms.append((Form.FIVES, compress_symbols(_to_fives(flags), matches=False)))
    if share < _GAPS_BELOW:
        if share < _LONG_GAPS_BELOW or len(packed) < _TRY_ALL_BELOW:
            forms.append((Form.GAPS, _to_long_gaps(flags)))
        for form in _forms_of_gaps(share, len(packed)):
            gaps = _to_gaps(flags, _LONGEST[form])
            forms.append((form, compress_symbols(gaps, matches=share < _MATCHES_BELOW)))
    return min(forms, key=lambda form: len(form[1]))


def _load(form: Form, data: bytes, limit: int, most_symbols: int) -> bytes:
    if form is Form.EMPTY:
        if data:
            raise FormatError("an empty stream has bytes")
        return b""
    if form is Form.PACKED:
        if not data or not data[-1] or len(data) > limit // 8 + 1:
            raise FormatError("a packed stream has flags that nothing asks for")
        return data
    if form is Form.FIVES:
        return unpack_fives(expand_symbols(data, limit // 5 + 1), limit)
    if form is Form.GAPS:
        return unpack_long_gaps(data, limit)
    return unpack_gaps(expand_symbols(data, most_symbols), _LONGEST[form], limit)


def _to_fives(flags: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> bytes:
    padded = np.zeros((-(-flags.size // 5), 5), np.uint8)
    padded.reshape(-1)[: flags.size] = flags
    fives: bytes = (padded << np.arange(5, dtype=np.uint8)).sum(axis=1, dtype=np.uint8).tobytes()
    return fives.rstrip(b"\0")


def _gaps(flags: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.diff(np.flatnonzero(flags), prepend=-1) - 1


def _to_long_gaps(flags: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> bytes:
    groups = _gaps(flags)[:, None] >> 7 * np.arange(5)
    more = groups[:, 1:] > 0
    encoded = groups & 127
    encoded[:, :-1] |= 128 * more
    stored: bytes = encoded[np.concatenate([np.ones((len(groups), 1), bool), more], axis=1)].astype(np.uint8).tobytes()
    return stored


def _to_gaps(flags: np.ndarray[tuple[int], np.dtype[np.uint8]], longest: int) -> bytes:
    gaps = _gaps(flags)
    steps = np.full(int((gaps // longest).sum()) + gaps.size, longest, np.uint8)
    steps[np.cumsum(gaps // longest + 1) - 1] = gaps % longest
    return steps.tobytes()


def _forms_of_gaps(share: float, size: int) -> tuple[Form, ...]:
    """Forms worth trying for a stream with this share of ones; the others lost everywhere."""
    if size < _TRY_ALL_BELOW:
        return Form.GAPS_31, Form.GAPS_63, Form.GAPS_127, Form.GAPS_255
    if share > 0.1:
        return (Form.GAPS_31,)
    if share > 0.03:
        return Form.GAPS_31, Form.GAPS_63
    return (Form.GAPS_63, Form.GAPS_127) if share > 0.008 else (Form.GAPS_127, Form.GAPS_255)
