"""
Strips (spec §6): runs of rows that are coded and decoded alone, so on all cores, and so that any rows are two reads
away.

The last four bytes of a strip are a CRC-32 of the header's check, the strip's number and its payload: a damaged,
exchanged or foreign strip is found, at the price of a pass over compressed bytes. (zstd's own checksum is of the
contents; bits of a frame that its decoder ignores escape it.) Predicted coding adds the labels, so that a model that
differs in the least from the encoder's is found too.
"""

from __future__ import annotations

import zlib

from kmcodec.indexed import Labels

CHECK_BYTES = 4

MOST_STRIP_PIXELS = 3 << 20
"""
Smaller strips learn less, larger ones leave cores idle and make access to rows slow. In strips of about a megapixel a
screenshot of 4 megapixels took 3 to 11 % more bytes, and a terminal full of text 26 to 31 % more.
"""


def strip_height_for(width: int, height: int) -> int:
    """Rows a strip: of strips about equal, and a power of two of them, so that no core waits for a last one."""
    count = 1
    while width * height > count * MOST_STRIP_PIXELS:
        count *= 2
    return -(-height // min(height, count))


def strip_check(header_check: bytes, strip: int, payload: bytes, labels: Labels | None = None) -> bytes:
    """
    The last four bytes of a strip.

    Args:
        header_check: The header's own CRC-32, as stored.
        strip: Number of the strip.
        payload: What precedes the check.
        labels: What the payload decodes to, if its coding checks that.
    """
    check = zlib.crc32(payload, zlib.crc32(header_check + strip.to_bytes(4, "little")))
    if labels is not None:
        check = zlib.crc32(labels.astype(labels.dtype.newbyteorder("<"), copy=False).tobytes(), check)
    return check.to_bytes(CHECK_BYTES, "little")
