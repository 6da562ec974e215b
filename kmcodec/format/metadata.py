"""Metadata as items of the header: every kind stored by itself, compressed where that is smaller."""

from __future__ import annotations

from kmcodec.errors import FormatError
from kmcodec.format.container import MetadataItem, MetadataKind
from kmcodec.format.frames import store, unstore
from kmcodec.indexed import Metadata

_LEVEL = 19


def encode_metadata(metadata: Metadata) -> tuple[MetadataItem, ...]:
    """Metadata to header items."""
    contents = {
        MetadataKind.ICC: metadata.icc,
        MetadataKind.EXIF: metadata.exif,
        MetadataKind.XMP: metadata.xmp,
        MetadataKind.TEXT: _encode_text(metadata.text) if metadata.text else None,
    }
    return tuple(
        MetadataItem(kind, len(data), store(data, level=_LEVEL)) for kind, data in contents.items() if data is not None
    )


def decode_metadata(items: tuple[MetadataItem, ...]) -> Metadata:
    """The inverse of `encode_metadata`. Raises FormatError."""
    data = {item.kind: unstore(item.stored, item.size, what=f"{item.kind.name} metadata") for item in items}
    return Metadata(
        icc=data.get(MetadataKind.ICC),
        exif=data.get(MetadataKind.EXIF),
        xmp=data.get(MetadataKind.XMP),
        text=_decode_text(data[MetadataKind.TEXT]) if MetadataKind.TEXT in data else (),
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
