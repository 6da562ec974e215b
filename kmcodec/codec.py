"""The two halves joined: pixels to `.kmc` bytes or files, and back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Unpack

import numpy as np

from kmcodec.files import FileName, open_binary, write_whole
from kmcodec.format import DEFAULT_EFFORT, Coding, KmcFile, dumps
from kmcodec.indexed import IndexedImage, Metadata, Palette, Pixels
from kmcodec.limits import DEFAULT_LIMITS, Limits
from kmcodec.pixels import ImageLike, as_pixels
from kmcodec.streams import write_all

if TYPE_CHECKING:
    from kmcodec.quantizer.options import Color, ColorOptions, DitherName, SpaceName

File: TypeAlias = FileName | BinaryIO
"""A path, a URL (through fsspec) or a binary file."""


def quantize(
    image: ImageLike,
    colors: int | None = None,
    *,
    lossless: bool = False,
    palette: Palette | None = None,
    keep: Sequence[Color] = (),
    rare: float = 0.0,
    space: SpaceName = "srgb",
    dither: DitherName = "none",
    dither_strength: float = 1.0,
) -> IndexedImage:
    """
    Reduce a picture to at most `colors` colours, by k-means.

    A picture that has no more than that keeps exactly its colours. The result is the same on every machine.

    Args:
        image: A uint8 array, shape (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey; or a PIL image of any mode, whose
            colour profile, EXIF, XMP, text and pixel density are kept, or, where they are damaged, warned of. Grey,
            CMYK and LAB are brought to sRGB through their profile.
        colors: K, 1 to 65 536; None for 256.
        lossless: Keep all colours, up to 65 536, instead.
        palette: Use these colours instead, uint8, shape (K, 3) or (K, 4), K up to 65 536. The result has all of them in
            this order, also those of no pixel; one without alpha makes transparent pixels opaque.
        keep: Colours that the palette has in any case, exactly: "#RRGGBB", "#RRGGBBAA", or three or four integers from
            0 to 255. They count towards K, and the others are fitted around them.
        rare: Up to this share of the palette, 0 to 1, goes to small areas of distinct colours that would be lost
            otherwise; above 0, one colour at least may.
        space: Where distances are measured: "srgb", for the highest PSNR, or "oklab", for the eye.
        dither: "none"; "floyd-steinberg", finest; or "ordered", by a blue-noise mask, which does not flicker.
        dither_strength: The part of the error that is made up for, 0 to 1.

    Raises:
        TypeError: `image` is something else, or an option of the wrong type.
        ValueError: A shape or an option is out of range; one that another makes meaningless is given; or the picture
            has more than 65 536 colours, and `lossless` is asked for.
    """
    from kmcodec.quantizer import Options, quantize_pixels  # decoding shall not load it

    options = Options(
        colors=colors,
        lossless=lossless,
        palette=palette,
        keep=keep,
        rare=rare,
        space=space,
        dither=dither,
        dither_strength=dither_strength,
    )
    indexed = quantize_pixels(as_pixels(image), options)
    return IndexedImage(indexed.palette, indexed.labels, _metadata_of(image))


def encode(
    image: ImageLike | IndexedImage,
    colors: int | None = None,
    *,
    rdo: float = 0.0,
    quality: float | None = None,
    psnr_db: float | None = None,
    max_bytes: int | None = None,
    metadata: Metadata | None = None,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    **options: Unpack[ColorOptions],
) -> bytes:
    """
    Encode a picture.

    Args:
        image: As for `quantize`; or an IndexedImage, which is stored as it is, whatever the options of colours.
        colors: K, 1 to 65 536; None for 256.
        rdo: λ, what a bit is worth in squared error of a pixel, red, green and blue together: labels and palette are
            chosen for size and likeness together. 0 takes nearest colours; 25 suits 256 colours, 100 suits 64.
        quality: Instead of `colors` and `rdo`, from 1, smallest, to 100, without loss if the picture has no more than
            65 536 colours.
        psnr_db: Instead, the smallest picture of at least this PSNR, decibels; at most 0.1 more where that can be had.
        max_bytes: Instead, the best picture in at most so many bytes, and in at most 2 % less where that can be had.
        metadata: In place of the image's own; None keeps that.
        coding: "predicted", smallest; "plain", fastest to decode; None for predicted from effort 3 on.
        effort: 1, fastest, to 9, smallest.
        threads: How many threads may work on a large picture; None for one a core. The bytes do not depend on it.
        **options: `lossless`, `palette`, `keep`, `rare`, `space`, `dither` and `dither_strength`, as for `quantize`.

    Returns:
        A whole `.kmc` file.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range, or makes no sense with another one.
        TargetError: No file is as good, or as small, as asked.
        RuntimeError: Labels shall be chosen by their size, and kmcodec was installed without a compiler.
    """
    if isinstance(image, IndexedImage):
        if rdo or (quality, psnr_db, max_bytes) != (None, None, None):
            raise ValueError("an IndexedImage is stored as it is: rdo, quality, psnr_db and max_bytes need pixels")
        if metadata is not None:
            image = IndexedImage(image.palette, image.labels, metadata)
        return dumps(image, coding=coding, effort=effort, threads=threads)
    from kmcodec.quantizer import Options  # decoding shall not load it
    from kmcodec.rate_distortion import Target, encode_for

    _, data = encode_for(
        Target(rdo=rdo, quality=quality, psnr_db=psnr_db, max_bytes=max_bytes),
        as_pixels(image),
        Options(colors=colors, **options),
        _metadata_of(image) if metadata is None else metadata,
        coding=coding,
        effort=effort,
        threads=threads,
    )
    return data


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
    colors: int | None = None,
    *,
    rdo: float = 0.0,
    quality: float | None = None,
    psnr_db: float | None = None,
    max_bytes: int | None = None,
    metadata: Metadata | None = None,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    **options: Unpack[ColorOptions],
) -> None:
    """
    Encode a picture into a file, which appears only when it is whole, and replaces one of its name.

    Args:
        file: A path, a URL (through fsspec) or a binary file open for writing.
        image, colors, rdo, quality, psnr_db, max_bytes: As for `encode`.
        metadata, coding, effort, threads, **options: As for `encode`.

    Raises:
        TypeError, ValueError, TargetError, RuntimeError: As `encode`.
        OSError: The file cannot be written.
        ImportError: A URL, and fsspec is not installed.
    """
    data = encode(
        image,
        colors,
        rdo=rdo,
        quality=quality,
        psnr_db=psnr_db,
        max_bytes=max_bytes,
        metadata=metadata,
        coding=coding,
        effort=effort,
        threads=threads,
        **options,
    )
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
    from kmcodec.image_metadata import read_metadata  # an array needs no Pillow

    metadata, problems = read_metadata(image)
    for problem in problems:
        warnings.warn(problem, stacklevel=4)
    return metadata
