"""The two halves joined: pixels to `.kmc` bytes or files, and back."""

from __future__ import annotations

from io import BytesIO
from os import PathLike
from typing import BinaryIO, TypeAlias

import numpy as np

from kmcodec.files import FileName, open_binary, write_whole
from kmcodec.format import DEFAULT_EFFORT, Coding, KmcFile, dumps
from kmcodec.indexed import MAX_COLORS, IndexedImage, Metadata, Pixels
from kmcodec.limits import DEFAULT_LIMITS, Limits
from kmcodec.pixels import ImageLike, as_pixels
from kmcodec.streams import write_all

DEFAULT_COLORS = 256

File: TypeAlias = FileName | BinaryIO
"""A path, a URL (through fsspec) or a binary file."""


def quantize(image: ImageLike, colors: int = DEFAULT_COLORS) -> IndexedImage:
    """
    Reduce a picture to at most `colors` colours, by k-means.

    A picture that has no more than that keeps exactly its colours. The result is the same on every machine.

    Args:
        image: A uint8 array, shape (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey; or a PIL image of any mode, whose
            colour profile, EXIF and XMP are kept.
        colors: K, 1 to 65 536.

    Raises:
        TypeError: `image` is something else, or `colors` no integer.
        ValueError: A shape or `colors` is out of range.
    """
    from kmcodec.quantizer import quantize_pixels  # decoding shall not load it

    if isinstance(colors, bool) or not hasattr(colors, "__index__"):
        raise TypeError(f"colors must be an integer, not {type(colors).__name__}")
    if not 1 <= colors <= MAX_COLORS:
        raise ValueError(f"colors must be from 1 to {MAX_COLORS}, not {colors}")
    indexed = quantize_pixels(as_pixels(image), colors.__index__())
    return IndexedImage(indexed.palette, indexed.labels, _metadata_of(image))


def encode(
    image: ImageLike | IndexedImage,
    colors: int = DEFAULT_COLORS,
    *,
    metadata: Metadata | None = None,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
) -> bytes:
    """
    Encode a picture.

    Args:
        image: As for `quantize`; or an IndexedImage, which is stored as it is.
        colors: K, 1 to 65 536.
        metadata: In place of the image's own; None keeps that.
        coding: "predicted", smallest; "plain", fastest to decode; None for predicted from effort 3 on.
        effort: 1, fastest, to 9, smallest.
        threads: How many threads may work on a large picture; None for one a core. The bytes do not depend on it.

    Returns:
        A whole `.kmc` file.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range.
    """
    indexed = image if isinstance(image, IndexedImage) else quantize(image, colors)
    if metadata is not None:
        indexed = IndexedImage(indexed.palette, indexed.labels, metadata)
    return dumps(indexed, coding=coding, effort=effort, threads=threads)


def decode(
    data: bytes | bytearray | memoryview, *, limits: Limits = DEFAULT_LIMITS, threads: int | None = None
) -> Pixels:
    """
    Decode a picture.

    Args:
        data: A whole `.kmc` file.
        limits: What may be allocated.
        threads: How many threads may work on a large picture; None for one a core.

    Returns:
        uint8, shape (height, width, 3) RGB, or (height, width, 4) RGBA if the palette has alpha.

    Raises:
        DecodeError: The data is not a `.kmc` file that can be read.
    """
    return KmcFile(BytesIO(data), limits=limits, threads=threads).read()


def write(
    file: File,
    image: ImageLike | IndexedImage,
    colors: int = DEFAULT_COLORS,
    *,
    metadata: Metadata | None = None,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
) -> None:
    """
    Encode a picture into a file, which appears only when it is whole, and replaces one of its name.

    Args:
        file: A path, a URL (through fsspec) or a binary file open for writing.
        image, colors, metadata, coding, effort, threads: As for `encode`.

    Raises:
        TypeError, ValueError: As `encode`.
        OSError: The file cannot be written.
        ImportError: A URL, and fsspec is not installed.
    """
    data = encode(image, colors, metadata=metadata, coding=coding, effort=effort, threads=threads)
    if isinstance(file, (str, PathLike)):
        write_whole(file, data)
    else:
        write_all(file, data)


def read(file: File, *, limits: Limits = DEFAULT_LIMITS, threads: int | None = None) -> Pixels:
    """
    Decode a file.

    Args:
        file: A path, a URL (through fsspec) or a binary file open for reading.
        limits, threads: As for `decode`.

    Returns:
        As `decode`.

    Raises:
        DecodeError: The file is not a `.kmc` file that can be read.
        OSError: It cannot be read at all.
        ImportError: A URL, and fsspec is not installed.
    """
    with open(file, limits=limits, threads=threads) as opened:
        return opened.read()


def open(file: File, *, limits: Limits = DEFAULT_LIMITS, threads: int | None = None) -> KmcFile:
    """
    Open a file without decoding its pixels: for its header, palette and metadata, and for some of its rows.

    Args:
        file: A path, a URL (through fsspec) or a binary file open for reading, which stays open.
        limits, threads: As for `decode`.

    Returns:
        A context manager.

    Raises:
        DecodeError: The file is not a `.kmc` file that can be read.
        OSError: It cannot be read at all.
        ImportError: A URL, and fsspec is not installed.
    """
    if not isinstance(file, (str, PathLike)):
        return KmcFile(file, limits=limits, threads=threads)
    stream = open_binary(file)
    try:
        return KmcFile(stream, limits=limits, threads=threads, close_stream=True)
    except BaseException:
        stream.close()
        raise


def _metadata_of(image: ImageLike) -> Metadata:
    if isinstance(image, np.ndarray):
        return Metadata()
    from kmcodec.images import metadata_of  # an array needs no Pillow

    return metadata_of(image)
