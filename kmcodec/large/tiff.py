"""
A TIFF of any height, from those that Pillow makes of blocks of its rows.

Pillow makes a TIFF of one pixel with the palette and all metadata: its directory is that of the large one, but for the
size and the strips. Strips come from TIFFs of blocks. Beyond 4 GB the file is a BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from kmcodec.expand import expand_labels
from kmcodec.images import save_image
from kmcodec.indexed import IndexedImage, Labels, Metadata, Palette
from kmcodec.large.rows import regrouped
from kmcodec.large.spool import Spool

_WIDTH, _LENGTH, _PHOTOMETRIC, _STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES = (
    256,
    257,
    262,
    273,
    277,
    278,
    279,
)
_DIRECTORIES = (34665, 34853, 40965)
"""EXIF, GPS and interoperability: the value is the place of another directory."""

_LONG, _LONG8 = 4, 16
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_PALETTE_COLOR = 3

_STRIP_PIXELS = 1 << 16
_STRIPS_AT_ONCE = 32
_MOST_CLASSIC_BYTES = (1 << 32) - 1
"""Of a TIFF whose places have 32 bits; a larger file is a BigTIFF."""

Directory: TypeAlias = "dict[int, _Entry | Directory]"
"""What each tag has: a value, or another directory."""


@dataclass(frozen=True)
class _Entry:
    """A value: its type, and its bytes in the order of the file."""

    type: int
    data: bytes


@dataclass(frozen=True)
class _Layout:
    """How numbers are written: their order, "<" or ">", and whether places have 64 bits."""

    order: str
    big: bool

    @property
    def place(self) -> struct.Struct:
        """A place in the file, or a number of values."""
        return struct.Struct(f"{self.order}{'Q' if self.big else 'I'}")

    @property
    def count(self) -> struct.Struct:
        """The number of entries."""
        return struct.Struct(f"{self.order}{'Q' if self.big else 'H'}")

    @property
    def tag_and_type(self) -> struct.Struct:
        """What an entry begins with."""
        return struct.Struct(f"{self.order}HH")

    @property
    def header(self) -> bytes:
        """The beginning of a file whose first directory follows at once (BigTIFF: with the size of places)."""
        mark = b"II" if self.order == "<" else b"MM"
        version = struct.pack(f"{self.order}HHH", 43, 8, 0) if self.big else struct.pack(f"{self.order}H", 42)
        return mark + version + self.place.pack(len(mark) + len(version) + self.place.size)

    def numbers(self, values: Iterable[int]) -> _Entry:
        """Numbers as wide as places."""
        return _Entry(_LONG8 if self.big else _LONG, b"".join(map(self.place.pack, values)))


def tiff_parts(
    blocks: Iterable[Labels],
    palette: Palette,
    metadata: Metadata,
    *,
    height: int,
    width: int,
    folder: Path | None,
) -> Iterator[bytes]:
    """
    Write a TIFF in parts, as `save_image` writes it whole.

    Args:
        blocks: Labels of the rows from the top, shape (rows, width).
        palette: Shape (K, C).
        metadata: Of the file.
        height, width: Of the picture.
        folder: Where strips wait in a temporary file, since what is before them tells where they are.

    Raises:
        ImageError: It cannot be written as a TIFF.
    """
    frame = save_image(IndexedImage(palette, np.zeros((1, 1), np.uint8), metadata), ".tif")
    layout, directory = _parse(frame)
    rows = max(1, _STRIP_PIXELS // width)
    strips = Spool(folder)
    sizes: list[int] = []
    for labels in regrouped(blocks, _STRIPS_AT_ONCE * rows):
        for strip in _coded_strips(labels, palette, directory, rows):
            strips.append(strip)
            sizes.append(len(strip))
    yield _before_strips(layout, directory, (height, width, rows), sizes)
    yield from strips


def _before_strips(layout: _Layout, directory: Directory, shape: tuple[int, int, int], sizes: list[int]) -> bytes:
    """Header and directory, for height, width, rows in a strip, and the bytes of each strip."""
    height, width, rows = shape

    def build(layout: _Layout, first: int) -> bytes:
        offsets = accumulate(sizes[:-1], initial=first)
        own: Directory = {
            _WIDTH: layout.numbers([width]),
            _LENGTH: layout.numbers([height]),
            _ROWS_PER_STRIP: layout.numbers([rows]),
            _STRIP_OFFSETS: layout.numbers(offsets),
            _STRIP_BYTES: layout.numbers(sizes),
        }
        return layout.header + _build(directory | own, layout, len(layout.header))

    if len(build(layout, 0)) + sum(sizes) > _MOST_CLASSIC_BYTES:
        layout = _Layout(layout.order, big=True)
    return build(layout, len(build(layout, 0)))


def _coded_strips(labels: Labels, palette: Palette, directory: Directory, rows: int) -> Iterator[bytes]:
    """Rows as strips of a TIFF by Pillow, of the form that the directory says."""
    samples = _first_number(directory, _SAMPLES, 1)
    if _first_number(directory, _PHOTOMETRIC, 0) == _PALETTE_COLOR:
        image = Image.fromarray(labels, "P")
    else:
        image = Image.fromarray(expand_labels(palette, labels)[..., :samples])
    buffer = BytesIO()
    image.save(buffer, "TIFF", compression="tiff_lzw", strip_size=rows * labels.shape[1] * samples)
    data = buffer.getvalue()
    _, coded = _parse(data)
    places, sizes = _numbers(coded, _STRIP_OFFSETS), _numbers(coded, _STRIP_BYTES)
    return (data[place : place + size] for place, size in zip(places, sizes, strict=True))


def _parse(data: bytes) -> tuple[_Layout, Directory]:
    """The layout and first directory of a classic TIFF; entries of types unknown are left out."""
    layout = _Layout("<" if data[:2] == b"II" else ">", big=False)
    return layout, _directory_at(data, layout, layout.place.unpack_from(data, 4)[0])


def _directory_at(data: bytes, layout: _Layout, place: int) -> Directory:
    directory: Directory = {}
    (count,) = layout.count.unpack_from(data, place)
    for entry in range(count):
        start = place + layout.count.size + 12 * entry
        tag, kind = layout.tag_and_type.unpack_from(data, start)
        (length,) = layout.place.unpack_from(data, start + 4)
        (value,) = layout.place.unpack_from(data, start + 8)
        if tag in _DIRECTORIES:
            directory[tag] = _directory_at(data, layout, value)
        elif kind in _TYPE_BYTES:
            size = length * _TYPE_BYTES[kind]
            at = start + 8 if size <= layout.place.size else value
            directory[tag] = _Entry(kind, data[at : at + size])
    return directory


def _build(directory: Directory, layout: _Layout, place: int) -> bytes:
    """A directory that stands at a place, and after it its values and the directories in it."""
    entry_bytes = layout.tag_and_type.size + 2 * layout.place.size
    values_at = place + layout.count.size + len(directory) * entry_bytes + layout.place.size
    entries, values = layout.count.pack(len(directory)), b""
    for tag, entry in sorted(directory.items()):
        at = values_at + len(values)
        if isinstance(entry, dict):
            values += _padded(_build(entry, layout, at))
            kind, count, stored = (_LONG8 if layout.big else _LONG), 1, layout.place.pack(at)
        else:
            kind, count, stored = entry.type, len(entry.data) // _bytes_of(entry.type), entry.data
            if len(stored) > layout.place.size:
                values += _padded(stored)
                stored = layout.place.pack(at)
        entries += layout.tag_and_type.pack(tag, kind) + layout.place.pack(count)
        entries += stored.ljust(layout.place.size, b"\0")
    return entries + layout.place.pack(0) + values


def _padded(data: bytes) -> bytes:
    """Values begin at even places."""
    return data + b"\0" * (len(data) % 2)


def _bytes_of(kind: int) -> int:
    return 8 if kind == _LONG8 else _TYPE_BYTES[kind]


def _numbers(directory: Directory, tag: int) -> tuple[int, ...]:
    """Whole numbers of 2 or 4 bytes, as Pillow and libtiff write them, in the order of this machine."""
    entry = directory[tag]
    assert isinstance(entry, _Entry)
    return tuple(np.frombuffer(entry.data, f"=u{_bytes_of(entry.type)}").tolist())


def _first_number(directory: Directory, tag: int, default: int) -> int:
    return _numbers(directory, tag)[0] if tag in directory else default
