"""One picture to one `.kmc` file."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kmcodec.batch.jobs import Job, Outcome
from kmcodec.batch.perform import Converted, perform
from kmcodec.batch.settings import EncodeSettings
from kmcodec.batch.storage import DISK, Storage
from kmcodec.errors import ImageError
from kmcodec.files import read_at_most
from kmcodec.format.container import SIGNATURE
from kmcodec.images import Picture, read_picture
from kmcodec.indexed import IndexedImage
from kmcodec.limits import DEFAULT_LIMITS
from kmcodec.metrics import bits_per_pixel, indexed_psnr_db
from kmcodec.rate_distortion import Trial, encode_for


def encode_job(
    job: Job[EncodeSettings], *, storage: Storage = DISK, watch: Callable[[Trial], None] | None = None
) -> Outcome:
    """
    Encode a picture; what goes wrong is in the outcome.

    Args:
        job: The job.
        storage: Where its files are.
        watch: As of `encode_for`.
    """

    def convert() -> Converted:
        picture, size = open_picture(job.source, job.settings.max_pixels, storage)
        indexed, data = _encoded(picture, job.settings, watch)
        warnings = _losses(picture, indexed, storage.shown(job.source))
        return Converted(data, size, _figures(picture, indexed, len(data)), warnings)

    return perform(job, convert, storage, skip_larger=job.settings.skip_larger)


def open_picture(name: str, max_pixels: int | None, storage: Storage) -> tuple[Picture, int]:
    """
    Read a picture that is to be encoded.

    Returns:
        The picture, and the bytes of its file.

    Raises:
        ImageError: It is none, or damaged, too large, or a `.kmc` file already.
        LimitError: The file is too long.
        OSError: It cannot be read.
        ImportError: A URL, and what fsspec needs for it is not installed.
    """
    with storage.open(name) as file:
        data = read_at_most(file, DEFAULT_LIMITS.file_bytes)
    if data.startswith(SIGNATURE):
        raise ImageError("a .kmc file already")
    return read_picture(data, max_pixels=max_pixels), len(data)


def _encoded(
    picture: Picture, settings: EncodeSettings, watch: Callable[[Trial], None] | None
) -> tuple[IndexedImage, bytes]:
    try:
        return encode_for(
            settings.target,
            picture.pixels,
            settings.options,
            picture.metadata,
            coding=settings.coding,
            effort=settings.effort,
            threads=settings.threads,
            watch=watch,
        )
    except (ValueError, RuntimeError) as error:  # too many colours for lossless; a target; no compiled kernel
        raise ImageError(str(error)) from error


def _losses(picture: Picture, indexed: IndexedImage, source: str) -> tuple[str, ...]:
    warnings = []
    if picture.frames > 1:
        warnings.append(f"{source}: only the first of its {picture.frames} frames is kept")
    if picture.profile_dropped:
        warnings.append(f"{source}: its colour profile is not kept: it is not one of RGB")
    if picture.pixels.shape[2] == 4 and indexed.palette[:, 3:].min(initial=255) == 255:
        warnings.append(f"{source}: its transparency is not kept: the palette has none")
    return tuple(warnings)


def _figures(picture: Picture, indexed: IndexedImage, size: int) -> dict[str, Any]:
    psnr = indexed_psnr_db(picture.pixels, indexed)
    return {
        "width": indexed.width,
        "height": indexed.height,
        "colors": len(indexed.palette),
        "bits_per_pixel": bits_per_pixel(size, indexed.width * indexed.height),
        "lossless": math.isinf(psnr),
        "psnr_db": None if math.isinf(psnr) else psnr,
    }
