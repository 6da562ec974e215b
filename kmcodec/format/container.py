"""
The header of a `.kmc` file (spec §3): its definition, and a plain dataclass made from it at once.

Integers are little-endian; sizes are LEB128 (seven bits a byte, least significant first, bit 7 set on all but the last
byte), in their shortest form and below 2³². The header ends with its CRC-32, so no field of it can be damaged unseen.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from io import BytesIO
from itertools import accumulate
from typing import IO, Any

import construct

from kmcodec.errors import FormatError, LimitError, TruncatedError, UnsupportedError, in_bytes
from kmcodec.format.leb128 import parse_leb128, to_leb128
from kmcodec.format.packing import bits_for, widths_for
from kmcodec.format.prediction.parameters import parse_parameters
from kmcodec.indexed import MAX_COLORS
from kmcodec.limits import Limits

SIGNATURE = b"\x89KMC"
VERSION = 1

MIN_STRIP_PIXELS = 1 << 14
"""Fewest pixels of a strip that is not the only one (spec §3.4): the index stays small against the picture claimed."""

MAX_STRIP_PIXELS = 1 << 22
"""Most pixels of a strip of more than one row: what a decoder may have to hold beside the picture."""

LAST_OPTIONAL_KIND = 127
"""Metadata of unknown kinds is ignored up to here; beyond, a picture cannot be understood without it."""

_HAS_ALPHA = 1
_HAS_METADATA = 2
_CHECK_BYTES = 4
_LONGEST_SIZE = 5
_MOST_ITEMS = 255


class Coding(IntEnum):
    """How labels become bytes."""

    PLAIN = 0
    PREDICTED = 1


class MetadataKind(IntEnum):
    """What an item of metadata is, as far as this version knows. Kinds ascend, and none is there twice."""

    ICC = 1
    EXIF = 2
    XMP = 3
    TEXT = 4
    DENSITY = 5


@dataclass(frozen=True)
class MetadataItem:
    """
    Attributes:
        kind: What it is: one of `MetadataKind`, or of a later version and up to `LAST_OPTIONAL_KIND`.
        size: Its bytes, uncompressed.
        stored: The same as `frames.store` left them.
    """

    kind: int
    size: int
    stored: bytes


@dataclass(frozen=True, kw_only=True)
class Header:
    """
    Everything before the strips.

    Attributes:
        version: Format version, 1.
        coding: How labels become bytes.
        parameter: Of the coding. Plain: bits per packed label, 0 where there is one colour, and so no label bytes.
            Predicted: `prediction.Parameters` as a byte.
        width: Pixels in a row, 1 to 2³² − 1.
        height: Rows, 1 to 2³² − 1.
        colors: Palette size K, 1 to 65 536.
        channels: 3 for RGB, 4 for RGBA.
        strip_height: Rows in a strip; the last may have fewer.
        stored_palette: The palette as `palette.encode_palette` left it.
        strip_bytes: Length of each strip.
        metadata: Items of metadata.
        encoded: The header's bytes, CRC-32 and all; `encode_header` fills them in.
    """

    version: int = VERSION
    coding: Coding = Coding.PLAIN
    parameter: int
    width: int
    height: int
    colors: int
    channels: int
    strip_height: int
    stored_palette: bytes
    strip_bytes: tuple[int, ...]
    metadata: tuple[MetadataItem, ...] = ()
    encoded: bytes = b""

    @property
    def pixels(self) -> int:
        """Width × height."""
        return self.width * self.height

    @property
    def strip_count(self) -> int:
        """Number of strips; 0 where there is one colour."""
        return _strip_count(self.height, self.strip_height, self.colors)

    @cached_property
    def strip_offsets(self) -> tuple[int, ...]:
        """Where each strip begins, and last where the file ends."""
        return tuple(accumulate(self.strip_bytes, initial=len(self.encoded)))

    @property
    def file_bytes(self) -> int:
        """Length of the whole file."""
        return self.strip_offsets[-1]

    @property
    def check(self) -> bytes:
        """The header's CRC-32, as it is stored."""
        return self.encoded[-_CHECK_BYTES:]

    def rows_of_strip(self, strip: int) -> range:
        """Which rows a strip holds."""
        top = strip * self.strip_height
        return range(top, min(top + self.strip_height, self.height))


class _Leb128(construct.Construct):  # type: ignore[misc]  # construct has no types
    """An integer as `leb128.py` has it. construct's own VarInt takes any length, and padding."""

    def _parse(self, stream: IO[bytes], context: Any, path: str) -> int:  # noqa: ARG002
        encoded = construct.stream_read(stream, 1, path)
        while encoded[-1] > 0x7F and len(encoded) <= _LONGEST_SIZE:
            encoded += construct.stream_read(stream, 1, path)
        return parse_leb128(encoded, 0)[0]

    def _build(self, value: int, stream: IO[bytes], context: Any, path: str) -> int:  # noqa: ARG002
        stream.write(to_leb128(value))
        return value


_size = _Leb128()

_start = construct.Struct(
    "signature" / construct.Bytes(len(SIGNATURE)),
    "version" / construct.Int8ul,
)

_picture = construct.Struct(
    "flags" / construct.Int8ul,
    "coding" / construct.Int8ul,
    "parameter" / construct.Int8ul,
    "width" / _size,
    "height" / _size,
    "last_color" / _size,
    "strip_height" / _size,
)

_strip_bytes = construct.Array(construct.this.strip_count, _size)

_item = construct.Struct(
    "kind" / construct.Int8ul,
    "size" / _size,
    "stored_size" / _size,
)

_check = construct.Int32ul


def encode_header(header: Header) -> Header:
    """The same header with its bytes."""
    return replace(header, encoded=_build(header))


def parse_header(data: bytes, limits: Limits) -> Header:
    """
    Read the header of a file.

    Args:
        data: The file, or any beginning of it that holds the header.
        limits: What the caller allows.

    Raises:
        TruncatedError: The data ends within the header.
        FormatError: A field breaks its rule, or the header is damaged.
        UnsupportedError: The version is a later one.
        LimitError: The picture or its metadata is larger than allowed.
    """
    stream = BytesIO(data)
    try:
        return _parse(stream, limits)
    except construct.StreamError:
        raise TruncatedError(f"the file ends within its header, after {in_bytes(len(data))}") from None


def _parse(stream: BytesIO, limits: Limits) -> Header:
    start = _start.parse_stream(stream)
    if start.signature != SIGNATURE:
        raise FormatError("not a .kmc file: it does not begin with the bytes 89 4B 4D 43")
    if start.version != VERSION:
        raise UnsupportedError(f"format version {start.version}; this kmcodec reads version {VERSION}")
    picture = _picture.parse_stream(stream)
    _check_limit(picture.width * picture.height, limits.pixels, "pixels")
    _check_picture(picture)
    channels = 4 if picture.flags & _HAS_ALPHA else 3
    stored_palette = _parse_bytes(stream, _size.parse_stream(stream), (picture.last_color + 1) * channels, "palette")
    strip_count = _strip_count(picture.height, picture.strip_height, picture.last_color + 1)
    strip_bytes = tuple(_strip_bytes.parse_stream(stream, strip_count=strip_count))
    metadata = _parse_metadata(stream, limits) if picture.flags & _HAS_METADATA else ()
    end = stream.tell()
    if _check.parse_stream(stream) != zlib.crc32(stream.getbuffer()[:end]):
        raise FormatError("damaged header: its CRC-32 does not fit")
    return Header(
        coding=Coding(picture.coding),
        parameter=picture.parameter,
        width=picture.width,
        height=picture.height,
        colors=picture.last_color + 1,
        channels=channels,
        strip_height=picture.strip_height,
        stored_palette=stored_palette,
        strip_bytes=strip_bytes,
        metadata=metadata,
        encoded=bytes(stream.getbuffer()[: stream.tell()]),
    )


def _parse_metadata(stream: BytesIO, limits: Limits) -> tuple[MetadataItem, ...]:
    """Item by item, so that nothing is read that a rule or a limit forbids."""
    count = _size.parse_stream(stream)
    if not 1 <= count <= _MOST_ITEMS:
        raise FormatError(f"{count} items of metadata, where its flag announces 1 to {_MOST_ITEMS}")
    items: list[MetadataItem] = []
    for _ in range(count):
        item = _item.parse_stream(stream)
        if item.kind <= (items[-1].kind if items else 0):
            raise FormatError(
                f"metadata of kind {item.kind}: kinds are from 1 on, each at most once, in ascending order"
            )
        if item.kind > LAST_OPTIONAL_KIND:
            raise UnsupportedError(f"metadata of kind {item.kind}, which this kmcodec would have to understand")
        _check_limit(item.size + sum(earlier.size for earlier in items), limits.metadata_bytes, "bytes of metadata")
        stored = _parse_bytes(stream, item.stored_size, item.size, f"metadata of kind {item.kind}")
        items.append(MetadataItem(item.kind, item.size, stored))
    return tuple(items)


def _parse_bytes(stream: BytesIO, count: int, most: int, what: str) -> bytes:
    if count > most:
        raise FormatError(f"{what}: stored in {count} bytes, more than the {most} it holds")
    data: bytes = construct.stream_read(stream, count, what)
    return data


def _strip_count(height: int, strip_height: int, colors: int) -> int:
    return -(-height // strip_height) if colors > 1 else 0


def _check_picture(picture: construct.Container) -> None:
    """The rules of single fields, before anything depends on them."""
    colors = picture.last_color + 1
    if picture.flags & ~(_HAS_ALPHA | _HAS_METADATA):
        raise FormatError(f"flags {picture.flags:#04x}: bits 2 to 7 must be zero")
    if picture.coding not in set(Coding):
        raise FormatError(f"coding {picture.coding} does not exist")
    if not picture.width or not picture.height:
        raise FormatError(f"{picture.width} × {picture.height} pixels: width and height must be at least 1")
    if colors > MAX_COLORS:
        raise FormatError(f"{colors} colours, more than {MAX_COLORS}")
    if not 1 <= picture.strip_height <= picture.height:
        raise FormatError(f"strips of {picture.strip_height} rows in a picture of {picture.height}")
    if picture.strip_height > 1 and colors > 1 and picture.strip_height * picture.width > MAX_STRIP_PIXELS:
        raise FormatError(f"strips of more than {MAX_STRIP_PIXELS} pixels, and of more than one row")
    if picture.strip_height < picture.height and picture.strip_height * picture.width < MIN_STRIP_PIXELS:
        raise FormatError(f"strips of less than {MIN_STRIP_PIXELS} pixels")
    if bits_for(colors) == 0 and picture.strip_height != picture.height:
        raise FormatError("a picture of one colour has no strips; its strip height must be its height")
    _check_parameter(Coding(picture.coding), picture.parameter, colors, picture.width * picture.strip_height)


def _check_parameter(coding: Coding, parameter: int, colors: int, strip_pixels: int) -> None:
    if coding is Coding.PREDICTED:
        if colors == 1:
            raise FormatError("predicted coding of one colour")
        parameters = parse_parameters(parameter)
        if not parameters.fit(strip_pixels):
            raise FormatError(f"tables of 2^{parameters.table_bits} lines for strips of {strip_pixels} pixels")
    elif parameter not in widths_for(colors):
        wanted = " or ".join(map(str, widths_for(colors)))
        raise FormatError(f"{parameter} bits per label; {colors} colours take {wanted}")


def _check_limit(value: int, limit: int | None, what: str) -> None:
    if limit is not None and value > limit:
        raise LimitError(f"{value} {what}, over the limit of {limit}")


def _build(header: Header) -> bytes:
    flags = _HAS_ALPHA * (header.channels == 4) | _HAS_METADATA * bool(header.metadata)
    parts = [
        _start.build({"signature": SIGNATURE, "version": header.version}),
        _picture.build(
            {
                "flags": flags,
                "coding": header.coding,
                "parameter": header.parameter,
                "width": header.width,
                "height": header.height,
                "last_color": header.colors - 1,
                "strip_height": header.strip_height,
            }
        ),
        _size.build(len(header.stored_palette)) + header.stored_palette,
        _strip_bytes.build(header.strip_bytes, strip_count=header.strip_count),
    ]
    if header.metadata:
        parts.append(_size.build(len(header.metadata)))
    for item in header.metadata:
        fields = {"kind": item.kind, "size": item.size, "stored_size": len(item.stored)}
        parts.append(_item.build(fields) + item.stored)
    encoded = b"".join(parts)
    check: bytes = _check.build(zlib.crc32(encoded))
    return encoded + check
