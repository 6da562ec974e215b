"""
What can be wrong with a file.

Errors of the caller are `ValueError` and `TypeError`; errors of the data are one tree, so that one `except` is enough:

    KmcError
    ├── ImageError(ValueError)      a file of another format cannot be read, or written
    ├── TargetError(ValueError)     no file is as good, or as small, as asked
    └── DecodeError(ValueError)     no picture can be had from these bytes
        ├── FormatError             they break a rule of the format
        │   └── TruncatedError      they end before the picture does
        ├── UnsupportedError        they may be right, but are beyond this version of kmcodec
        └── LimitError              they ask for more than the caller allows
"""

from __future__ import annotations


def in_bytes(count: int) -> str:
    """A size as messages tell it."""
    return f"{count} byte" if count == 1 else f"{count} bytes"


class KmcError(Exception):
    """Anything kmcodec itself reports."""


class ImageError(KmcError, ValueError):
    """A file of another format is no image, or damaged; or that format cannot hold the picture."""


class TargetError(KmcError, ValueError):
    """A picture cannot be as good, or as small, as asked."""


class DecodeError(KmcError, ValueError):
    """The data cannot be decoded."""


class FormatError(DecodeError):
    """The data breaks a rule of the format: damaged, or no `.kmc` file at all."""


class TruncatedError(FormatError):
    """The data ends before the picture does."""


class UnsupportedError(DecodeError):
    """The data needs a newer version of kmcodec."""


class LimitError(DecodeError):
    """The picture is larger than the limits in force allow."""
