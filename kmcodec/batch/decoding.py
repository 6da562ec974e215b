"""One `.kmc` file to one picture."""

from __future__ import annotations

from kmcodec.batch.jobs import Job, Outcome
from kmcodec.batch.perform import Converted, perform
from kmcodec.batch.settings import DecodeSettings
from kmcodec.batch.storage import DISK, Storage
from kmcodec.format import KmcFile
from kmcodec.images import ending_of, is_lossy, save_image, unsaved_keywords
from kmcodec.indexed import IndexedImage
from kmcodec.limits import Limits


def decode_job(job: Job[DecodeSettings], *, storage: Storage = DISK) -> Outcome:
    """
    Decode a file to a picture, of the format that the target's ending tells; what goes wrong is in the outcome.

    Args:
        job: The job.
        storage: Where its files are.
    """

    def convert() -> Converted:
        settings = job.settings
        with storage.open(job.source) as stream:
            file = KmcFile(stream, limits=Limits(pixels=settings.max_pixels), threads=settings.threads)
            indexed = IndexedImage(file.palette, file.labels(), file.metadata)
        ending = ending_of(job.target)
        figures = {"width": indexed.width, "height": indexed.height, "colors": len(indexed.palette)}
        warnings = _losses(indexed, storage.shown(job.target), ending)
        return Converted(save_image(indexed, ending), file.header.file_bytes, figures, warnings)

    return perform(job, convert, storage)


def _losses(indexed: IndexedImage, target: str, ending: str) -> tuple[str, ...]:
    warnings = []
    if is_lossy(indexed, ending):
        warnings.append(f"{target}: {ending} is lossy, other pixels than those of the .kmc file; .png keeps them")
    if keywords := unsaved_keywords(indexed.metadata, ending):
        warnings.append(f"{target}: a PNG cannot hold text of the keyword {keywords[0]!r}, left out")
    return tuple(warnings)
