"""Pictures of so many pixels that `encode` and `decode` take them in blocks of rows."""

from __future__ import annotations

import math
import os
import stat
import time
from typing import TYPE_CHECKING, Any

from kmcodec.cli.console import say_warning, show_step
from kmcodec.cli.jobs import STDIO, Contents, Failure, Job, Report, read_bytes, shown_input
from kmcodec.errors import ImageError, KmcError
from kmcodec.files import folder_of, is_url
from kmcodec.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from kmcodec.format import KmcFile
    from kmcodec.large.images import ImageRows, ImageSize, ImageSource
    from kmcodec.quantizer import Options
    from kmcodec.rate_distortion import Target

LARGE_PIXELS = 1 << 25
"""Beyond this many a picture is taken in blocks of rows, which needs less memory and, on the way, a disk."""

IN_MEMORY_PIXELS = DEFAULT_LIMITS.pixels or LARGE_PIXELS
"""Up to this many one that cannot be had in blocks of rows is taken whole."""

_PASSES = ("counting colours", "labelling", "coding", "coding in another way")


def limits_for(max_pixels: int) -> Limits:
    """Limits for files of so many pixels: no label takes more than two bytes."""
    return Limits(pixels=max_pixels, file_bytes=max(DEFAULT_LIMITS.file_bytes or 0, 2 * max_pixels))


def image_source(name: str) -> ImageSource:
    """The path of a file that can be read again and again, or else the contents."""
    if name != STDIO and not is_url(name) and stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116  # as in files.py
        return name
    return read_bytes(name)


def encode_if_large(
    job: Job, source: ImageSource, target: Target, options: Options, storage: dict[str, Any], max_pixels: int
) -> tuple[Contents, Report] | None:
    """
    Encode a large picture; None for one that is not, or that has to be taken whole, and can.

    Raises:
        ImageError, OSError: It cannot be read, or is larger than `max_pixels`.
        ImportError: It is too large to be taken whole, and pyvips is not installed.
        Failure: An option wants it whole, and it is too large for that; or it cannot be encoded as the options say.
    """
    from kmcodec.large.images import image_size

    size = image_size(source)
    if size is None or size.pixels <= LARGE_PIXELS:
        return None
    name = shown_input(job.source)
    if size.pixels > max_pixels:
        raise ImageError(f"{size.width} x {size.height} pixels, over the limit of {max_pixels}; --max-pixels raises it")
    may_be_whole = size.pixels <= IN_MEMORY_PIXELS
    if not target.is_none:
        if may_be_whole:
            return None
        raise Failure(
            f"{name}: --rdo, --quality, --psnr and --max-bytes need the whole picture in memory, and take up to"
            f" {IN_MEMORY_PIXELS} pixels, not {size.width} x {size.height}; -k takes it"
        )
    progress = _Progress(name)
    try:
        rows = _open_rows(source, size, progress)
    except (ImageError, ImportError):
        if may_be_whole:
            return None
        raise
    try:
        return _encode(job, source, rows, options, storage, progress)
    except KmcError:
        raise
    except ValueError as error:
        raise Failure(f"{name}: {error}") from error


def is_taken_in_rows(pixels: int, ending: str) -> bool:
    """Whether `decode_large` decodes a picture of so many pixels, if only to say that it cannot."""
    if pixels <= LARGE_PIXELS:
        return False
    from kmcodec.large.decode import is_written_in_rows

    return pixels > IN_MEMORY_PIXELS or is_written_in_rows(ending)


def decode_large(job: Job, file: KmcFile, ending: str) -> tuple[Contents, Report]:
    """Decode a large picture into a PNG or TIFF. Raises ImageError for another ending, and what decoding raises."""
    from kmcodec.large.decode import decode_rows

    start = time.perf_counter()
    progress = _Progress(shown_input(job.source), "decoding")
    image = decode_rows(file, ending, folder=_spool_folder(job), watch=progress)
    return image, {
        "width": file.header.width,
        "height": file.header.height,
        "colors": file.header.colors,
        "input_bytes": file.header.file_bytes,
        "output_bytes": image.size,
        "seconds": time.perf_counter() - start,
    }


class _Progress:
    """Shows what is being done, and how far it is, on the progress bar; when it is done, the next thing begins."""

    def __init__(self, name: str, *passes: str) -> None:
        self._name = name
        self._passes = iter(passes)
        self._doing = next(self._passes, "looking for transparency")

    def begin(self, *passes: str) -> None:
        """Do these things next."""
        self._passes = iter(passes)
        self._doing = next(self._passes)

    def __call__(self, part: float) -> None:
        show_step(f"{self._name}: {self._doing}, {part:.0%}")
        if part == 1:
            self._doing = next(self._passes, self._doing)


def _open_rows(source: ImageSource, size: ImageSize, progress: _Progress) -> ImageRows:
    from kmcodec.large.images import ImageRows

    rows = ImageRows(source, size, progress)
    progress.begin(*_PASSES)
    return rows


def _encode(
    job: Job,
    source: ImageSource,
    rows: ImageRows,
    options: Options,
    storage: dict[str, Any],
    progress: _Progress,
) -> tuple[Contents, Report]:
    from kmcodec.large.encode import encode_rows
    from kmcodec.large.metadata import read_extras
    from kmcodec.metrics import PsnrSum, bits_per_pixel

    start = time.perf_counter()
    name = shown_input(job.source)
    extras = read_extras(source)
    error = PsnrSum()
    encoded = encode_rows(
        rows, options, extras.metadata, **storage, folder=_spool_folder(job), psnr=error, watch=progress
    )
    header = encoded.header
    if extras.frames > 1:
        say_warning(f"{name}: only the first of its {extras.frames} frames is kept")
    if extras.profile_dropped:
        say_warning(f"{name}: its colour profile is not kept: it is not one of RGB")
    if rows.has_alpha and header.channels == 3:
        say_warning(f"{name}: its transparency is not kept: the palette has none")
    psnr = error.psnr_db
    return encoded, {
        "width": header.width,
        "height": header.height,
        "colors": header.colors,
        "input_bytes": os.stat(source).st_size if isinstance(source, str) else len(source),  # noqa: PTH116
        "output_bytes": header.file_bytes,
        "bits_per_pixel": bits_per_pixel(header.file_bytes, header.pixels),
        "lossless": math.isinf(psnr),
        "psnr_db": None if math.isinf(psnr) else psnr,
        "seconds": time.perf_counter() - start,
    }


def _spool_folder(job: Job) -> Path | None:
    return None if job.target == STDIO else folder_of(job.target)
