"""What went wrong with a file, in one sentence that names it."""

from __future__ import annotations

import os

from kmcodec.errors import KmcError
from kmcodec.files import is_url


def sentence_of(error: Exception, name: str) -> str | None:
    """
    One sentence for what may go wrong with a file; None for what may not, and so is a mistake in the program.

    Args:
        error: What was raised as the file was read, worked on or written.
        name: How the file is shown, which is named unless the error names another one.
    """
    if isinstance(error, FileExistsError):
        return f"{printable(_file_of(error, name))}: exists already"
    if isinstance(error, KmcError):
        return f"{name}: {error}"
    if isinstance(error, OSError):
        return f"{printable(_file_of(error, name))}: {error.strerror or error}"
    if isinstance(error, MemoryError):
        return f"{name}: not enough memory"
    if isinstance(error, ImportError):
        return str(error)
    if is_url(name):
        # a backend of fsspec reads when asked to, and then raises whatever its protocol leads it to
        return f"{name}: {error or type(error).__name__}"
    return None


def printable(name: str) -> str:
    """A name as it can be printed: bytes that are no text, and control characters, become replacement characters."""
    name = name.encode(errors="surrogateescape").decode(errors="replace")
    return name if name.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in name)


def _file_of(error: OSError, name: str) -> str:
    return name if error.filename is None else os.fsdecode(error.filename)
