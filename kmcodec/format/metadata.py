"""Metadata as items of the header (spec §5): every kind stored by itself, compressed where that is smaller."""

from __future__ import annotations

from fractions import Fraction

from kmcodec.errors import FormatError, TruncatedError
from kmcodec.format.container import MetadataItem, MetadataKind
from kmcodec.format.frames import store, unstore
from kmcodec.format.leb128 import parse_leb128, to_leb128
from kmcodec.indexed import Metadata

_LEVEL = 19


def encode_metadata(metadata: Metadata) -> tuple[MetadataItem, ...]:
    """Metadata to header items."""
    contents = {
        MetadataKind.ICC: metadata.icc,
        MetadataKind.EXIF: metadata.exif,
        MetadataKind.XMP: metadata.xmp,
        MetadataKind.TEXT: _encode_text(metadata.text) if metadata.text else None,
        MetadataKind.DENSITY: _encode_dpi(metadata.dpi) if metadata.dpi else None,
    }
    return tuple(
        MetadataItem(kind, len(data), store(data, level=_LEVEL)) for kind, data in contents.items() if data is not None
    )


def decode_metadata(items: tuple[MetadataItem, ...]) -> Metadata:
    """The inverse of `encode_metadata`, ignoring kinds of later versions. Raises FormatError."""
    known = {MetadataKind(item.kind): item for item in items if item.kind in set(MetadataKind)}
    data = {kind: unstore(item.stored, item.size, what=f"{kind.name} metadata") for kind, item in known.items()}
    return Metadata(
        icc=data.get(MetadataKind.ICC),
        exif=data.get(MetadataKind.EXIF),
        xmp=data.get(MetadataKind.XMP),
        text=_decode_text(data[MetadataKind.TEXT]) if MetadataKind.TEXT in data else (),
        dpi=_decode_dpi(data[MetadataKind.DENSITY]) if MetadataKind.DENSITY in data else None,
    )


def _encode_text(pairs: tuple[tuple[str, str], ...]) -> bytes:
    """Keyword, NUL, text, NUL, keyword, …, in UTF-8."""
    return "\0".join(part for pair in pairs for part in pair).encode()


def _decode_text(data: bytes) -> tuple[tuple[str, str], ...]:
    try:
        parts = data.decode().split("\0")
    except UnicodeDecodeError:
        raise FormatError("TEXT metadata: not UTF-8") from None
    if len(parts) % 2:
        raise FormatError("TEXT metadata: a keyword without its text")
    return tuple(zip(parts[0::2], parts[1::2], strict=True))


def _encode_dpi(dpi: tuple[Fraction, Fraction]) -> bytes:
    """Numerator and denominator of the horizontal resolution, then of the vertical."""
    return b"".join(to_leb128(term) for side in dpi for term in side.as_integer_ratio())


def _decode_dpi(data: bytes) -> tuple[Fraction, Fraction]:
    terms, position = [], 0
    try:
        for _ in range(4):
            term, position = parse_leb128(data, position)
            terms.append(term)
    except TruncatedError:
        raise FormatError("DENSITY metadata: it ends within its four numbers") from None
    if position < len(data):
        raise FormatError("DENSITY metadata: it goes on after its four numbers")
    if 0 in terms:
        raise FormatError("DENSITY metadata: a numerator or denominator is zero")
    dpi = Fraction(terms[0], terms[1]), Fraction(terms[2], terms[3])
    if [term for side in dpi for term in side.as_integer_ratio()] != terms:
        raise FormatError("DENSITY metadata: a fraction is not in lowest terms")
    return dpi
