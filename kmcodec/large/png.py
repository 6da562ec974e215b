"""
A PNG of any height, from those that Pillow makes of blocks of its rows.

Pillow makes a PNG of one pixel with the palette and all metadata: its chunks are those of the large one, but for the
size and the pixels. Rows come from PNGs of blocks, each with the row above it, which their filters look at.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from kmcodec.errors import ImageError
from kmcodec.expand import expand_labels
from kmcodec.images import save_image
from kmcodec.indexed import IndexedImage, Labels, Metadata, Palette
from kmcodec.png import SIGNATURE

_SIZE = struct.Struct(">II")
_COLOR_TYPE, _DEPTH = 9, 8  # where they are in IHDR
_PALETTE, _RGB = 3, 2
_LEVEL = 6  # of zlib; 9 takes five times as long for 1 to 2 %


def png_parts(
    blocks: Iterable[Labels], palette: Palette, metadata: Metadata, *, height: int, width: int
) -> Iterator[bytes]:
    """
    Write a PNG in parts, as `save_image` writes it whole.

    Args:
        blocks: Labels of the rows from the top, shape (rows, width).
        palette: Shape (K, C).
        metadata: Of the file.
        height, width: Of the picture.

    Raises:
        ImageError: It cannot be written as a PNG.
    """
    frame = save_image(IndexedImage(palette, np.zeros((1, 1), np.uint8), metadata), ".png")
    yield SIGNATURE
    for kind, data, _ in read_chunks(BytesIO(frame)):
        if kind == b"IHDR":
            header = _SIZE.pack(width, height) + data[_SIZE.size :]
            yield chunk(kind, header)
        elif kind == b"IDAT":
            yield from _pixel_chunks(blocks, palette, header)
        else:
            yield chunk(kind, data)


def read_chunks(stream: BinaryIO, without: Collection[bytes] = ()) -> Iterator[tuple[bytes, bytes, bytes]]:
    """
    The chunks of a PNG up to IEND: kind, data, and CRC-32 as it stands there. Some kinds are passed over, not read.

    Raises:
        ImageError: It is no PNG, or ends too early.
    """
    if stream.read(len(SIGNATURE)) != SIGNATURE:
        raise ImageError("damaged image (no PNG signature)")
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        if len(head) < 8:
            raise ImageError("damaged image (it ends without IEND)")
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in without:
            stream.seek(size + 4, os.SEEK_CUR)
            continue
        yield kind, stream.read(size), stream.read(4)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk: length, kind, data and CRC-32 (PNG, 5.3)."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")


def _pixel_chunks(blocks: Iterable[Labels], palette: Palette, header: bytes) -> Iterator[bytes]:
    deflate = zlib.compressobj(_LEVEL)
    above: Labels | None = None
    for labels in blocks:
        rows = labels if above is None else np.concatenate([above, labels])
        filtered = _filtered(rows, palette, header)
        first = 0 if above is None else len(filtered) // len(rows)
        if data := deflate.compress(memoryview(filtered)[first:]):
            yield chunk(b"IDAT", data)
        above = labels[-1:].copy()
    yield chunk(b"IDAT", deflate.flush())


def _filtered(labels: Labels, palette: Palette, header: bytes) -> bytes:
    """Rows as they stand in a PNG before they are compressed, each after the byte of its filter."""
    buffer = BytesIO()
    options: dict[str, Any] = {"compress_level": 0}
    if header[_COLOR_TYPE] == _PALETTE:
        image = Image.fromarray(labels, "P")
        image.putpalette(bytes(768))  # of the most colours: the depth is that of the frame
        options["bits"] = header[_DEPTH]
    else:
        pixels = expand_labels(palette, labels)
        image = Image.fromarray(pixels[..., :3] if header[_COLOR_TYPE] == _RGB else pixels)
    image.save(buffer, "PNG", **options)
    chunks = read_chunks(BytesIO(buffer.getvalue()))
    return zlib.decompress(b"".join(data for kind, data, _ in chunks if kind == b"IDAT"))
