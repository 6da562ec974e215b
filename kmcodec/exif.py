"""EXIF blocks: whether they are whole, what they say of orientation and density; and the same tags in TIFF files."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from PIL import Image, TiffTags
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

PREFIX = b"Exif\0\0"
"""What a block begins with in JPEG, and at some writers elsewhere."""

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value, by its type (TIFF 6.0, section 2)."""

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
"""The order of bytes as `struct` has it, by how a block begins."""

_SHORT, _RATIONAL = 3, 5
_INCH, _CENTIMETRE = 2, 3

_ABOUT_THE_PICTURE = frozenset(
    {
        Base.DocumentName,
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.Orientation,
        Base.PageName,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.HostComputer,
        Base.Rating,
        Base.RatingPercent,
        Base.Copyright,
        Base.XPTitle,
        Base.XPComment,
        Base.XPAuthor,
        Base.XPKeywords,
        Base.XPSubject,
    }
)
"""Tags of the first directory that tell of the picture, not of how a TIFF file stores it."""


_NAMES = {Base.XResolution: "pixel density", Base.YResolution: "pixel density", 700: "XMP", 34675: "colour profile"}
"""Metadata in tags of a TIFF file that is not EXIF."""


@dataclass(frozen=True)
class _Field:
    """A field of a directory: its type, and where in the block its value is, in bytes."""

    kind: int
    offset: int
    size: int


def without_prefix(exif: bytes) -> bytes:
    """The block from its TIFF header on. Some writers put the prefix there twice."""
    return re.sub(rb"\A(Exif\0\0)+", b"", exif)


def is_whole(exif: bytes) -> bool:
    """
    Whether every field that a block announces is there.

    A thumbnail is not looked at: of a block that ends within it, nothing else is lost.
    """
    try:
        _check(exif)
    except (struct.error, ValueError):
        return False
    return True


def orientation_of(exif: bytes) -> int:
    """How the picture lies, 1 to 8; 1, upright, if a whole block does not say."""
    order, first = _first_directory(exif)
    field = first.get(Base.Orientation)
    if field is None or field.kind != _SHORT or field.size != 2:
        return 1
    (orientation,) = struct.unpack_from(f"{order}H", exif, field.offset)
    return orientation if 1 <= orientation <= 8 else 1


def density_of(exif: bytes) -> tuple[Fraction, Fraction] | None:
    """Pixels per inch, horizontal and vertical, from a whole block; None if it does not say."""
    order, first = _first_directory(exif)
    terms = []
    for tag in (Base.XResolution, Base.YResolution):
        field = first.get(tag)
        if field is None or field.kind != _RATIONAL or field.size != 8:
            return None
        terms.append(struct.unpack_from(f"{order}II", exif, field.offset))
    unit_field = first.get(Base.ResolutionUnit)
    unit = _INCH
    if unit_field is not None and unit_field.kind == _SHORT and unit_field.size == 2:
        (unit,) = struct.unpack_from(f"{order}H", exif, unit_field.offset)
    if unit not in (_INCH, _CENTIMETRE) or any(0 in pair for pair in terms):
        return None
    scale = Fraction(254, 100) if unit == _CENTIMETRE else 1
    (x, x_unit), (y, y_unit) = terms
    return Fraction(x, x_unit) * scale, Fraction(y, y_unit) * scale


def says_only_density(exif: bytes) -> bool:
    """Whether a whole block is one of `block_of_density`, or one like it."""
    _, first = _first_directory(exif)
    return set(first) <= {Base.XResolution, Base.YResolution, Base.ResolutionUnit}


def block_of_density(dpi: tuple[Fraction, Fraction]) -> bytes:
    """A block that says nothing but the density."""
    exif = Image.Exif()
    exif[Base.XResolution], exif[Base.YResolution] = (IFDRational(*side.as_integer_ratio()) for side in dpi)
    exif[Base.ResolutionUnit] = _INCH
    return without_prefix(exif.tobytes())


def block_of_tiff(exif: Image.Exif) -> bytes | None:
    """A block of what the tags of a TIFF file tell of its picture; None if that is nothing."""
    about = about_the_picture(exif)
    if about.get(Base.Orientation) == 1:  # which says nothing, and which most writers add
        del about[Base.Orientation]
    return without_prefix(about.tobytes()) if len(about) else None


def without_bad_tags(data: bytes) -> tuple[bytes, list[str]]:
    """
    Leave out metadata that lies beyond the end of a TIFF file, at which Pillow stops to read tags.

    Args:
        data: A file. One that is not a TIFF, or is a BigTIFF, is returned as it is.

    Returns:
        The file, and a sentence on each thing left out.
    """
    order = _ORDERS.get(data[:4])
    try:
        if order is None:
            return data, []
        (first,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, first)
        entries = list(struct.iter_unpack(f"{order}HHI4s", data[first + 2 : first + 2 + 12 * count]))
    except struct.error:
        return data, []
    kept = [entry for entry in entries if not _is_bad(entry, order, len(data))]
    if len(kept) == len(entries):
        return data, []
    problems = [f"damaged {_NAMES.get(entry[0], 'EXIF')} is not kept" for entry in entries if entry not in kept]
    following = data[first + 2 + 12 * count :][:4]  # where the next directory is
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(struct.pack(f"{order}HHI4s", *entry) for entry in kept)
    directory += following
    return data[:first] + directory + data[first + len(directory) :], problems


def _is_bad(entry: tuple[int, int, int, bytes], order: str, size: int) -> bool:
    tag, kind, values, value = entry
    length = _BYTES.get(kind, 0) * values
    (offset,) = struct.unpack(f"{order}I", value)
    return tag in (*_ABOUT_THE_PICTURE, *_NAMES) and length > 4 and offset + length > size


def about_the_picture(exif: Image.Exif) -> Image.Exif:
    """The same without tags that tell how a file stores the picture, among them the thumbnail's."""
    about = Image.Exif()
    for tag in sorted(_ABOUT_THE_PICTURE):
        if tag in exif:
            about[tag] = _as_stored(exif[tag], tag)
    for directory in (IFD.Exif, IFD.GPSInfo):
        if directory in exif and (fields := dict(exif.get_ifd(directory))):
            fields.pop(IFD.Interop, None)  # an offset into another block
            fields = {tag: _as_stored(value, tag, directory) for tag, value in fields.items()}
            about.get_ifd(directory).update(fields)  # where Pillow's TIFF looks for it
            about[directory] = fields  # and how it learns that there is one
    return about


def _as_stored(value: Any, tag: int, directory: int | None = None) -> Any:
    """Text as the bytes that Pillow read: it would write ASCII alone, where many have UTF-8."""
    is_text = isinstance(value, str) and TiffTags.lookup(tag, directory).type == TiffTags.ASCII
    return value.encode("latin-1", "replace") if is_text else value


def _check(exif: bytes) -> None:
    order, first = _first_directory(exif)
    if not first:
        raise ValueError("no fields")
    for tag in (IFD.Exif, IFD.GPSInfo):
        if tag in first:
            (offset,) = struct.unpack_from(f"{order}I", exif, first[tag].offset)
            _directory(exif, offset, order)


def _first_directory(exif: bytes) -> tuple[str, dict[int, _Field]]:
    """The order of bytes, and the fields. Raises ValueError or struct.error for a damaged block."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        raise ValueError("no TIFF header")
    (offset,) = struct.unpack_from(f"{order}I", exif, 4)
    return order, _directory(exif, offset, order)


def _directory(exif: bytes, offset: int, order: str) -> dict[int, _Field]:
    fields = {}
    (count,) = struct.unpack_from(f"{order}H", exif, offset)
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", exif, entry)
        size, place = _BYTES.get(kind, 0) * values, entry + 8
        if size > 4:
            (place,) = struct.unpack_from(f"{order}I", exif, place)
        if place + max(size, 4 if place == entry + 8 else 0) > len(exif):
            raise ValueError("a value beyond the end")
        fields[tag] = _Field(kind, place, size)
    return fields
