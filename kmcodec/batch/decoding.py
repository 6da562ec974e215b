"""One `.kmc` file to one picture."""

from __future__ import annotations

from dataclasses import replace

from kmcodec.batch.jobs import Job, Outcome
from kmcodec.batch.large import Watch, decode_large, is_taken_in_rows, limits_for
from kmcodec.batch.perform import Converted, perform
from kmcodec.batch.settings import DecodeSettings
from kmcodec.batch.storage import DISK, Storage
from kmcodec.format import KmcFile
from kmcodec.images import ending_of, is_lossy, left_out_of, save_image
from kmcodec.indexed import IndexedImage, Metadata


def decode_job(job: Job[DecodeSettings], *, storage: Storage = DISK, watch: Watch = lambda _: None) -> Outcome:
    """
    Decode a file to a picture, of the format that the target's ending tells; what goes wrong is in the outcome.

    Args:
        job: The job.
        storage: Where its files are.
        watch: Told what is being done, and how far it is.
    """

    def convert() -> Converted:
        settings = job.settings
        ending = ending_of(job.target)
        with storage.open(job.source) as stream:
            file = KmcFile(stream, limits=limits_for(settings.max_pixels), threads=settings.threads)
            metadata = Metadata() if settings.strip else file.metadata
            left_out = _left_out(metadata, storage.shown_target(job.target), ending)
            if is_taken_in_rows(file.header.pixels, ending):
                return replace(decode_large(job, file, ending, metadata, storage, watch), warnings=left_out)
            indexed = IndexedImage(file.palette, file.labels(), metadata)
        figures = {"width": indexed.width, "height": indexed.height, "colors": len(indexed.palette)}
        warnings = _lossy(indexed, storage.shown_target(job.target), ending) + left_out
        image = save_image(indexed, ending)
        return Converted(image, len(image), file.header.file_bytes, figures, warnings)

    return perform(job, convert, storage)


def _lossy(indexed: IndexedImage, target: str, ending: str) -> tuple[str, ...]:
    if not is_lossy(indexed, ending):
        return ()
    return (f"{target}: {ending} is lossy, other pixels than those of the .kmc file; .png keeps them",)


def _left_out(metadata: Metadata, target: str, ending: str) -> tuple[str, ...]:
    left_out = left_out_of(metadata, ending)
    return (f"{target}: {ending} cannot hold {', '.join(left_out)}; left out",) if left_out else ()
