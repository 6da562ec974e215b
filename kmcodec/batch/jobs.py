"""Jobs and what came of them: small, and made to be sent from process to process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from kmcodec.batch.settings import DecodeSettings, EncodeSettings

Settings = TypeVar("Settings", EncodeSettings, DecodeSettings)

Status: TypeAlias = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, eq=False)
class Job(Generic[Settings]):
    """
    One file to read and the one to write.

    Attributes:
        source: Path or URL.
        target: Path or URL; folders of a path are made.
        settings: How.
        may_be_done: Whether this may have been done by a run that was broken off, or a worker that died. Then a target
            that exists and is what would be written is right; else it is in the way, unless it may be overwritten.
    """

    source: str
    target: str
    settings: Settings
    may_be_done: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    What came of a job.

    Attributes:
        source, target: Those of the job.
        status: "done", "skipped" or "failed".
        error: Why it failed, or was skipped, in one sentence that names the file; None where it is done.
        warnings: What is not as one might expect in a file that was written, a sentence each.
        settings: The hash of the settings.
        source_bytes, source_stamp: The source as of `FileVersion`; None where it could not be asked.
        target_bytes: Bytes that were written, or would have been.
        width, height: Pixels.
        colors: K, the size of the palette.
        bits_per_pixel: Of the `.kmc` file.
        lossless: Whether nothing visible was lost.
        psnr_db: Decibels; None where the pixels are the same.
        seconds: That it took, files read and written.

    What does not apply, such as PSNR to decoding, or was not reached is None.
    """

    source: str
    target: str
    status: Status
    settings: str
    error: str | None = None
    warnings: tuple[str, ...] = ()
    source_bytes: int | None = None
    source_stamp: str | None = None
    target_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    colors: int | None = None
    bits_per_pixel: float | None = None
    lossless: bool | None = None
    psnr_db: float | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """What applies, under the names that reports and logs use."""
        entry = {
            "input": self.source,
            "output": self.target,
            "status": self.status,
            "error": self.error,
            "warnings": list(self.warnings) or None,
            "width": self.width,
            "height": self.height,
            "colors": self.colors,
            "input_bytes": self.source_bytes,
            "input_stamp": self.source_stamp,
            "output_bytes": self.target_bytes,
            "bits_per_pixel": self.bits_per_pixel,
            "lossless": self.lossless,
            "psnr_db": self.psnr_db,
            "seconds": self.seconds,
            "settings": self.settings,
        }
        is_null = {"psnr_db"} if self.lossless else set()
        return {name: value for name, value in entry.items() if value is not None or name in is_null}


def failed(job: Job[Any], error: str) -> Outcome:
    """What comes of a job that went wrong before, or without, being worked on."""
    return Outcome(source=job.source, target=job.target, status="failed", error=error, settings=job.settings.hash)
