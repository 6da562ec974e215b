"""A `.kmc` file to a PNG or TIFF that need not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from kmcodec.errors import ImageError
from kmcodec.format import KmcFile
from kmcodec.indexed import Labels
from kmcodec.large.png import png_parts
from kmcodec.large.spool import Spool
from kmcodec.large.tiff import tiff_parts


def is_written_in_rows(ending: str) -> bool:
    """Whether this is the ending of a PNG or TIFF."""
    return _format_of(ending) in ("PNG", "TIFF")


def decode_rows(
    file: KmcFile, ending: str, *, folder: Path | None, watch: Callable[[float], object] | None = None
) -> Spool:
    """
    Decode a file into a PNG or TIFF with the pixels and metadata that `save_image` writes.

    Args:
        file: The file.
        ending: Of the name of the image, such as ".png"; it decides the format.
        folder: Where temporary files are made; None for the system's own place. They are gone with the result.
        watch: Told what part is done, 0 to 1.

    Returns:
        The image in parts, to be written one after another.

    Raises:
        ImageError: The ending is that of another format.
        DecodeError: The file is damaged.
        OSError: It cannot be read, or a temporary file cannot be written.
    """
    height, width = file.header.height, file.header.width
    blocks = _label_blocks(file, watch)
    name = _format_of(ending)
    if name == "PNG":
        parts = png_parts(blocks, file.palette, file.metadata, height=height, width=width)
    elif name == "TIFF":
        parts = tiff_parts(blocks, file.palette, file.metadata, height=height, width=width, folder=folder)
    else:
        raise ImageError(f"pictures of this size can be written as .png or .tif, not as {ending}")
    spool = Spool(folder)
    for part in parts:
        spool.append(part)
    return spool


def _label_blocks(file: KmcFile, watch: Callable[[float], object] | None) -> Iterator[Labels]:
    for rows in file.row_blocks():
        yield file.read_labels(rows.start, rows.stop)
        if watch is not None:
            watch(rows.stop / file.header.height)


def _format_of(ending: str) -> str | None:
    return Image.registered_extensions().get(ending.lower())
