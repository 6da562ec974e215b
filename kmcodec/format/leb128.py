"""Unsigned integers below 2³² (spec §2.3): seven bits a byte, the least significant first, in as few as possible."""

from __future__ import annotations

from kmcodec.errors import FormatError, TruncatedError


def to_leb128(value: int) -> bytes:
    """Encode an integer."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def parse_leb128(data: bytes, position: int) -> tuple[int, int]:
    """
    Decode the integer at a position.

    Returns:
        The integer, and the position after it.

    Raises:
        TruncatedError: The data ends within it.
        FormatError: It has more bytes than it needs, or is not below 2³².
    """
    value = 0
    for shift in range(0, 35, 7):
        if position >= len(data):
            raise TruncatedError("an integer is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 32 or (byte == 0 and shift):
                break
            return value, position
    raise FormatError("an integer is not in its shortest form, or not below 2**32")
