"""Pictures of so many pixels that they are encoded and decoded in blocks of rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from kmcodec.batch.jobs import Job
from kmcodec.batch.losses import BITS, check_that_samples_fit, losses
from kmcodec.batch.perform import Converted
from kmcodec.batch.settings import DecodeSettings, EncodeSettings
from kmcodec.batch.storage import Storage
from kmcodec.errors import ImageError, KmcError
from kmcodec.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from kmcodec.format import KmcFile
    from kmcodec.indexed import Metadata
    from kmcodec.large.images import ImageRows, ImageSize, ImageSource

LARGE_PIXELS = 1 << 25
"""Beyond this many a picture is taken in blocks of rows, which needs less memory and, on the way, a disk."""

IN_MEMORY_PIXELS = DEFAULT_LIMITS.pixels or LARGE_PIXELS
"""Up to this many one that cannot be had in blocks of rows is taken whole."""

Watch = Callable[[str], None]
"""Told what is being done, and how far it is."""

_PASSES = ("counting colours", "labelling", "coding", "coding in another way")


def limits_for(max_pixels: int | None) -> Limits:
    """Limits for files of so many pixels: no label takes more than two bytes."""
    file_bytes = None if max_pixels is None else max(DEFAULT_LIMITS.file_bytes or 0, 2 * max_pixels)
    return Limits(pixels=max_pixels, file_bytes=file_bytes)


def open_if_large(source: ImageSource, max_pixels: int | None, progress: Progress) -> ImageRows | None:
    """
    The rows of a large picture; None for one that is not, or that has to be taken whole, and can.

    Raises:
        ImageError, OSError: It cannot be read, or is larger than `max_pixels`.
        ImportError: It is too large to be taken whole, and pyvips is not installed.
    """
    size = _size_if_large(source, max_pixels)
    return None if size is None else _open_rows(source, size, progress)


def encode_if_large(
    job: Job[EncodeSettings], source: ImageSource, source_bytes: int, storage: Storage, watch: Watch
) -> Converted | None:
    """
    Encode a large picture; None for one that is not, or that has to be taken whole, and can.

    Raises:
        ImageError, OSError: It cannot be read, or is too large, or it cannot be encoded as the settings say.
        ImportError: It is too large to be taken whole, and pyvips is not installed.
    """
    size = _size_if_large(source, job.settings.max_pixels)
    if size is None:
        return None
    if not job.settings.target.is_none:
        if size.pixels <= IN_MEMORY_PIXELS:
            return None
        raise ImageError(
            "RDO, and a target of quality, PSNR or bytes, need the whole picture in memory, and take up to"
            f" {IN_MEMORY_PIXELS} pixels, not {size.width} x {size.height}; a number of colours alone takes it"
        )
    progress = Progress(watch, "looking for transparency")
    rows = _open_rows(source, size, progress)
    if rows is None:
        return None
    progress.begin(*_PASSES)
    try:
        return _encoded(job, source, source_bytes, rows, storage, progress)
    except KmcError:
        raise
    except ValueError as error:
        raise ImageError(str(error)) from error


def is_taken_in_rows(pixels: int, ending: str) -> bool:
    """Whether `decode_large` decodes a picture of so many pixels, if only to say that it cannot."""
    if pixels <= LARGE_PIXELS:
        return False
    from kmcodec.large.decode import is_written_in_rows

    return pixels > IN_MEMORY_PIXELS or is_written_in_rows(ending)


def decode_large(
    job: Job[DecodeSettings], file: KmcFile, ending: str, metadata: Metadata, storage: Storage, watch: Watch
) -> Converted:
    """Decode a large picture into a PNG or TIFF. Raises ImageError for another ending, and what decoding raises."""
    from kmcodec.large.decode import decode_rows

    progress = Progress(watch, "decoding")
    image = decode_rows(file, ending, metadata, folder=storage.folder(job.target), watch=progress)
    header = file.header
    figures = {"width": header.width, "height": header.height, "colors": header.colors}
    return Converted(image, image.size, header.file_bytes, figures)


class Progress:
    """Tells what is being done, and how far it is; when it is done, the next thing begins."""

    def __init__(self, watch: Watch, *passes: str) -> None:
        self._watch = watch
        self.begin(*passes)

    def begin(self, *passes: str) -> None:
        """Do these things next."""
        self._passes = iter(passes)
        self._doing = next(self._passes)

    def __call__(self, part: float) -> None:
        """Tell what part of it is done, 0 to 1."""
        self._watch(f"{self._doing}, {part:.0%}")
        if part == 1:
            self._doing = next(self._passes, self._doing)


def _size_if_large(source: ImageSource, max_pixels: int | None) -> ImageSize | None:
    from kmcodec.large.images import image_size

    size = image_size(source)
    if size is None or size.pixels <= LARGE_PIXELS:
        return None
    if max_pixels is not None and size.pixels > max_pixels:
        raise ImageError(f"{size.width} x {size.height} pixels, over the limit of {max_pixels}")
    return size


def _open_rows(source: ImageSource, size: ImageSize, progress: Progress) -> ImageRows | None:
    """None for a picture that has to be taken whole, and can."""
    from kmcodec.large.images import ImageRows

    try:
        return ImageRows(source, size, progress)
    except (ImageError, ImportError):
        if size.pixels <= IN_MEMORY_PIXELS:
            return None
        raise


def _encoded(
    job: Job[EncodeSettings],
    source: ImageSource,
    source_bytes: int,
    rows: ImageRows,
    storage: Storage,
    progress: Progress,
) -> Converted:
    from kmcodec.indexed import Metadata
    from kmcodec.large.encode import encode_rows
    from kmcodec.large.metadata import read_extras
    from kmcodec.metrics import PsnrSum, bits_per_pixel

    settings = job.settings
    extras = read_extras(source)
    if settings.lossless:
        check_that_samples_fit(extras.bits)
    error = PsnrSum()
    encoded = encode_rows(
        rows,
        settings.options,
        Metadata() if settings.strip else extras.metadata,
        coding=settings.coding,
        effort=settings.effort,
        threads=settings.threads,
        folder=storage.folder(job.target),
        psnr=error,
        watch=progress,
    )
    header, psnr = encoded.header, error.psnr_db
    warnings = losses(
        storage.shown(job.source),
        frames=extras.frames,
        bits=extras.bits,
        problems=() if settings.strip else extras.problems,
        loses_alpha=rows.has_alpha and header.channels == 3,
    )
    figures = {
        "width": header.width,
        "height": header.height,
        "colors": header.colors,
        "bits_per_pixel": bits_per_pixel(header.file_bytes, header.pixels),
        "lossless": math.isinf(psnr) and extras.bits <= BITS,
        "psnr_db": None if math.isinf(psnr) else psnr,
    }
    return Converted(encoded, header.file_bytes, source_bytes, figures, warnings)
