"""One picture to one `.kmc` file."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kmcodec.batch.jobs import Job, Outcome
from kmcodec.batch.large import Watch, encode_if_large
from kmcodec.batch.losses import BITS, check_that_samples_fit, losses
from kmcodec.batch.perform import Converted, perform
from kmcodec.batch.settings import EncodeSettings
from kmcodec.batch.storage import DISK, Storage
from kmcodec.errors import ImageError
from kmcodec.files import open_binary, read_at_most
from kmcodec.folders import ending_of, image_endings
from kmcodec.format import dumps
from kmcodec.format.container import SIGNATURE
from kmcodec.images import Picture, read_indexed_picture, read_picture
from kmcodec.indexed import IndexedImage, Metadata
from kmcodec.limits import DEFAULT_LIMITS
from kmcodec.metrics import bits_per_pixel, indexed_psnr_db
from kmcodec.rate_distortion import MOST_TRIALS, Trial, encode_for

if TYPE_CHECKING:
    from kmcodec.large.images import ImageSource


def encode_job(job: Job[EncodeSettings], *, storage: Storage = DISK, watch: Watch = lambda _: None) -> Outcome:
    """
    Encode a picture; what goes wrong is in the outcome.

    Args:
        job: The job.
        storage: Where its files are.
        watch: Told what is being done, and how far it is.
    """

    def convert() -> Converted:
        converted = convert_source()
        return replace(converted, warnings=converted.warnings + _misnomer(job.target, storage))

    def convert_source() -> Converted:
        file = open_file(job.source, storage)
        if job.settings.as_is:
            return _as_it_is(job, file, storage)
        if (large := encode_if_large(job, file.content, file.size, storage, watch)) is not None:
            return large
        picture = read_picture(file.read(), max_pixels=job.settings.max_pixels)
        if job.settings.lossless:
            check_that_samples_fit(picture.bits)
        if job.settings.strip:
            picture = replace(picture, metadata=Metadata(), problems=())
        indexed, data = _encoded(picture, job.settings, watch)
        return _converted(picture, indexed, data, file, storage.shown(job.source))

    return perform(job, convert, storage, skip_larger=job.settings.skip_larger)


@dataclass(frozen=True, eq=False)
class ImageFile:
    """
    An image file that is to be encoded.

    Attributes:
        content: Its path, where it can be read again and again, or else its contents.
        size: Bytes.
    """

    content: ImageSource
    size: int

    def read(self) -> bytes:
        """Its contents. Raises LimitError for a file that is too long, and OSError."""
        return _read(self.content, DISK) if isinstance(self.content, str) else self.content


def open_file(name: str, storage: Storage) -> ImageFile:
    """
    Look at a file that is to be encoded.

    Raises:
        ImageError: It is a `.kmc` file already.
        LimitError: It is too long to be read, and has to be.
        OSError: It cannot be read.
        ImportError: A URL, and what fsspec needs for it is not installed.
    """
    path = storage.path(name)
    content = path if path is not None else _read(name, storage)
    if _beginning(content) == SIGNATURE:
        raise ImageError("a .kmc file already")
    return ImageFile(content, os.stat(content).st_size if isinstance(content, str) else len(content))  # noqa: PTH116


def _read(name: str, storage: Storage) -> bytes:
    with storage.open(name) as file:
        return read_at_most(file, DEFAULT_LIMITS.file_bytes)


def _beginning(content: ImageSource) -> bytes:
    if isinstance(content, bytes):
        return content[: len(SIGNATURE)]
    with open_binary(content) as file:
        return file.read(len(SIGNATURE))


def _encoded(picture: Picture, settings: EncodeSettings, watch: Watch) -> tuple[IndexedImage, bytes]:
    trials = 0

    def count(trial: Trial) -> None:
        nonlocal trials
        trials += 1
        watch(f"trial {trials}/{MOST_TRIALS}, {len(trial.data)} bytes, {trial.psnr_db:.2f} dB")

    try:
        return encode_for(
            settings.target,
            picture.pixels,
            settings.options,
            picture.metadata,
            coding=settings.coding,
            effort=settings.effort,
            threads=settings.threads,
            watch=count,
        )
    except (ValueError, RuntimeError) as error:  # too many colours for lossless; a target; no compiled kernel
        raise ImageError(str(error)) from error


def _as_it_is(job: Job[EncodeSettings], file: ImageFile, storage: Storage) -> Converted:
    settings = job.settings
    picture, indexed = read_indexed_picture(file.read(), max_pixels=settings.max_pixels)
    if settings.strip:
        picture, indexed = replace(picture, problems=()), replace(indexed, metadata=Metadata())
    data = dumps(indexed, coding=settings.coding, effort=settings.effort, threads=settings.threads)
    return _converted(picture, indexed, data, file, storage.shown(job.source))


def _converted(picture: Picture, indexed: IndexedImage, data: bytes, file: ImageFile, shown: str) -> Converted:
    warnings = losses(
        shown,
        frames=picture.frames,
        bits=picture.bits,
        problems=picture.problems,
        loses_alpha=_loses_alpha(picture, indexed),
    )
    return Converted(data, len(data), file.size, _figures(picture, indexed, len(data)), warnings)


def _loses_alpha(picture: Picture, indexed: IndexedImage) -> bool:
    return picture.pixels.shape[2] == 4 and bool(indexed.palette[:, 3:].min(initial=255) == 255)


def _misnomer(target: str, storage: Storage) -> tuple[str, ...]:
    """A warning of a name that programs would take for that of another format."""
    ending = ending_of(target)
    if ending in ("", ".kmc") or ending not in image_endings():
        return ()
    return (f"{storage.shown_target(target)}: a .kmc file, whatever its ending says",)


def _figures(picture: Picture, indexed: IndexedImage, size: int) -> dict[str, Any]:
    psnr = indexed_psnr_db(picture.pixels, indexed)
    return {
        "width": indexed.width,
        "height": indexed.height,
        "colors": len(indexed.palette),
        "bits_per_pixel": bits_per_pixel(size, indexed.width * indexed.height),
        "lossless": math.isinf(psnr) and picture.bits <= BITS,
        "psnr_db": None if math.isinf(psnr) else psnr,
    }
