"""
kmcodec: pictures of few colours in few bytes.

    encode, decode      pixels to the bytes of a .kmc file, and back
    read, write, open   the same with files
    write_rows          the same for pictures larger than memory, in blocks of rows
    quantize            pixels to a palette and labels
    dumps, loads        a palette and labels to bytes, and back, without loss

A name is imported when it is first used: `import kmcodec` costs nothing, and decoding never loads the quantiser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmcodec.lazy import lazy_names

if TYPE_CHECKING:
    from kmcodec.codec import decode, encode, open, quantize, read, write
    from kmcodec.errors import (
        DecodeError,
        FormatError,
        KmcError,
        LimitError,
        TargetError,
        TruncatedError,
        UnsupportedError,
    )
    from kmcodec.format import Coding, Header, KmcFile, dumps, loads
    from kmcodec.indexed import IndexedImage, Metadata
    from kmcodec.large import write_rows
    from kmcodec.limits import Limits

__version__ = "0.1.0"

__all__ = [
    "Coding",
    "DecodeError",
    "FormatError",
    "Header",
    "IndexedImage",
    "KmcError",
    "KmcFile",
    "LimitError",
    "Limits",
    "Metadata",
    "TargetError",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "decode",
    "dumps",
    "encode",
    "loads",
    "open",
    "quantize",
    "read",
    "write",
    "write_rows",
]

_MODULES = {
    "kmcodec.codec": ("decode", "encode", "open", "quantize", "read", "write"),
    "kmcodec.errors": (
        "DecodeError",
        "FormatError",
        "KmcError",
        "LimitError",
        "TargetError",
        "TruncatedError",
        "UnsupportedError",
    ),
    "kmcodec.format": ("Coding", "Header", "KmcFile", "dumps", "loads"),
    "kmcodec.indexed": ("IndexedImage", "Metadata"),
    "kmcodec.large": ("write_rows",),
    "kmcodec.limits": ("Limits",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
