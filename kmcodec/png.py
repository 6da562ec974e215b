"""The metadata of PNG files before Pillow sees it: Pillow refuses a picture for what is damaged beside it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"

_NAMES = {
    b"iCCP": "colour profile",
    b"eXIf": "EXIF",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"pHYs": "pixel density",
    b"gAMA": "gamma",
    b"cHRM": "primaries",
    b"sRGB": "rendering intent",
    b"cICP": "colour space",
    b"tIME": "time",
}
"""What may go without the picture changing."""

_LEAST_BYTES = {b"pHYs": 9, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}


_CICP_OF_SRGB = bytes([1, 13])
"""Primaries of BT.709 and the transfer function of sRGB (ITU-T H.273)."""


@dataclass(frozen=True)
class _Chunk:
    """A chunk of a file: its type, where it begins and ends in bytes, and whether its CRC fits."""

    kind: bytes
    start: int
    stop: int
    content: bytes
    is_intact: bool


def without_bad_metadata(data: bytes, limit: int) -> tuple[bytes, list[str]]:
    """
    Leave out metadata that is damaged or too large.

    Args:
        data: A file. One that is not a PNG, or whose chunks do not follow each other, is returned as it is.
        limit: Most bytes of metadata, uncompressed.

    Returns:
        The file, and a sentence on each thing left out, or that Pillow does not know.
    """
    if not data.startswith(SIGNATURE):
        return data, []
    kept: list[bytes] = []
    problems: list[str] = []
    keywords: set[bytes] = set()
    room, position = limit, 0
    for chunk in _metadata_chunks(data):
        try:
            room -= _size_of(chunk, room)
            problems += _unknown_in(chunk, keywords)
        except (ValueError, IndexError, zlib.error) as error:
            too_large = isinstance(error, _TooLargeError)
            problems.append(f"{'too large a' if too_large else 'damaged'} {_name_of(chunk)} is not kept")
            kept.append(data[position : chunk.start])
            position = chunk.stop
    return (b"".join([*kept, data[position:]]) if kept else data), problems


def _unknown_in(chunk: _Chunk, keywords: set[bytes]) -> list[str]:
    """What Pillow does not know of an intact chunk; `keywords`, of the texts before it, are added to."""
    if chunk.kind == b"cICP" and not chunk.content.startswith(_CICP_OF_SRGB):
        return ["its colour space (cICP), not sRGB, is not kept, only its pixels; a colour profile would be"]
    if chunk.kind == b"pHYs" and chunk.content[8] == 0 and chunk.content[:4] != chunk.content[4:8]:
        return ["the shape of its pixels, which are no squares, is not kept"]
    if chunk.kind in (b"tEXt", b"zTXt", b"iTXt"):
        keyword = chunk.content[: chunk.content.index(b"\0")]
        if keyword in keywords:
            return [f"of several texts of the keyword {keyword.decode('latin-1')!r} only the last is kept"]
        keywords.add(keyword)
    return []


class _TooLargeError(ValueError):
    pass


def _metadata_chunks(data: bytes) -> Iterator[_Chunk]:
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        stop = position + 12 + length
        if stop > len(data):
            return
        if kind in _NAMES:
            content = data[position + 8 : stop - 4]
            (crc,) = struct.unpack_from(">I", data, stop - 4)
            yield _Chunk(kind, position, stop, content, zlib.crc32(content, zlib.crc32(kind)) == crc)
        position = stop


def _size_of(chunk: _Chunk, room: int) -> int:
    """Bytes of metadata, uncompressed. Raises ValueError, IndexError or zlib.error if there is something wrong."""
    if not chunk.is_intact or len(chunk.content) < _LEAST_BYTES.get(chunk.kind, 0):
        raise ValueError
    if chunk.kind in (b"iCCP", b"zTXt"):
        return len(_inflated(_after_keyword(chunk.content), room))
    if chunk.kind == b"iTXt":
        return _check_international(chunk.content, room)
    if chunk.kind == b"tEXt":
        chunk.content.index(b"\0", 1)
    if len(chunk.content) > room:
        raise _TooLargeError
    return len(chunk.content)


def _after_keyword(content: bytes) -> bytes:
    """Compressed data, from its method on."""
    return content[content.index(b"\0", 1) + 1 :]


def _check_international(content: bytes, room: int) -> int:
    """The parts of an iTXt chunk (PNG, 11.3.3.4)."""
    rest = _after_keyword(content)
    is_compressed, method = rest[0], rest[1:2]
    language, translated, text = rest[2:].split(b"\0", 2)
    language.decode(), translated.decode()
    if is_compressed:
        text = _inflated(method + text, room)
    if not content.startswith(XMP_KEYWORD.encode() + b"\0"):  # that is looked at with the XMP of other formats
        text.decode()
    if len(text) > room:
        raise _TooLargeError
    return len(text)


def _inflated(compressed: bytes, room: int) -> bytes:
    if compressed[0]:
        raise ValueError
    inflater = zlib.decompressobj()
    data = inflater.decompress(compressed[1:], room + 1)
    if len(data) > room:
        raise _TooLargeError
    if not inflater.eof:
        raise ValueError
    return data


def _name_of(chunk: _Chunk) -> str:
    return "XMP" if chunk.content.startswith(XMP_KEYWORD.encode()) else _NAMES[chunk.kind]
