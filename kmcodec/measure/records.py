"""What is measured: one point of a sweep, and all there is to say about it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Point:
    """
    One codec at one setting.

    Attributes:
        codec: Its name, "kmcodec" or that of a peer.
        colors: K, for codecs with a palette.
        rdo: λ of kmcodec.
        quality: For codecs that have one; each has a scale of its own.
        effort: Of kmcodec.
    """

    codec: str
    colors: int | None = None
    rdo: float | None = None
    quality: float | None = None
    effort: int | None = None

    @property
    def setting(self) -> str:
        """In words, such as "K 64, λ 25", "quality 80" or "lossless"."""
        if self.quality is not None:
            return f"quality {self.quality:g}"
        if self.colors is None:
            return "lossless"
        return f"K {self.colors}, λ {self.rdo:g}" if self.rdo else f"K {self.colors}"

    @property
    def series(self) -> str:
        """The curve it lies on: the codec, and for kmcodec also λ, or that its quality was asked for."""
        if self.codec == OWN and self.quality is not None:
            return f"{OWN} quality"
        return f"{self.codec} λ {self.rdo:g}" if self.rdo else self.codec


OWN = "kmcodec"


@dataclass(frozen=True, kw_only=True)
class Record(Point):
    """
    One picture, encoded by one codec at one setting.

    Attributes:
        picture: Name of the picture, as it was given.
        picture_sha256: Of its file, in hexadecimal.
        width, height: Pixels.
        channels: 3, or 4 if it has transparency.
        codec, colors, rdo, quality, effort: As of `Point`.
        tool: Name and version of what encoded it.
        file_bytes: Size of the encoded file, all of it.
        bits_per_pixel: The same for each pixel.
        compression_ratio: Bytes of the samples for each byte of the file.
        psnr_db: As `kmcodec.metrics.psnr_db`, decibels; infinity where nothing was lost.
        ssim, ciede2000_mean, ciede2000_p95, ssimulacra2: As `kmcodec.metrics`; None where it was not measured.
        encode_seconds: From pixels in memory to the file, in one thread; as if it were the only point of the sweep.
        decode_seconds: From the file to pixels in memory, in one thread.
    """

    picture: str
    picture_sha256: str
    width: int
    height: int
    channels: int
    tool: str
    file_bytes: int
    bits_per_pixel: float
    compression_ratio: float
    psnr_db: float
    ssim: float | None = None
    ciede2000_mean: float | None = None
    ciede2000_p95: float | None = None
    ssimulacra2: float | None = None
    encode_seconds: float
    decode_seconds: float

    @property
    def lossless(self) -> bool:
        """Whether the decoded picture looks exactly as the original."""
        return math.isinf(self.psnr_db)

    @property
    def point(self) -> Point:
        """Codec and setting alone."""
        return Point(**{field.name: getattr(self, field.name) for field in fields(Point)})

    def as_row(self) -> dict[str, Any]:
        """Its columns, in the order of `COLUMNS`."""
        return {column: getattr(self, column) for column in COLUMNS}

    def as_json(self) -> dict[str, Any]:
        """The same for JSON, which has no infinity: `psnr_db` is null where `lossless` is true."""
        return self.as_row() | {"psnr_db": None if self.lossless else self.psnr_db}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """
    What could not be measured.

    Attributes:
        picture: Name of the picture.
        codec: None if the picture itself could not be read.
        setting: In words; None if the codec cannot take the picture at all.
        message: What is wrong, in one sentence.
        skipped: Whether it was no error: the codec does not have what the picture needs.
    """

    picture: str
    codec: str | None
    setting: str | None
    message: str
    skipped: bool = False

    def __str__(self) -> str:
        what = " ".join(part for part in (self.codec, self.setting and f"({self.setting})") if part)
        return f"{self.picture}: {what}: {self.message}" if what else f"{self.picture}: {self.message}"


METRICS: Mapping[str, tuple[str, ...]] = {
    "psnr": ("psnr_db",),
    "ssim": ("ssim",),
    "ciede2000": ("ciede2000_mean", "ciede2000_p95"),
    "ssimulacra2": ("ssimulacra2",),
}
"""Names under which metrics are chosen, and their columns. PSNR is always measured."""

DEFAULT_METRICS = ("psnr", "ssim", "ciede2000")
"""All but the slow one."""

COLUMNS: Mapping[str, str] = {
    "picture": "name of the picture",
    "picture_sha256": "SHA-256 of its file",
    "width": "pixels",
    "height": "pixels",
    "channels": "samples a pixel: 3, or 4 with transparency",
    "codec": "kmcodec, or a peer",
    "series": "the curve the point lies on: the codec and, for kmcodec, what does not vary along it",
    "setting": "colours, λ or quality in words",
    "colors": "K, for codecs with a palette",
    "rdo": "λ of kmcodec, squared error a bit",
    "quality": "on the codec's own scale",
    "effort": "of kmcodec, 1 to 9",
    "tool": "what encoded it, and its version",
    "file_bytes": "size of the encoded file",
    "bits_per_pixel": "bits of the file for each pixel",
    "compression_ratio": "bytes of the samples for each byte of the file",
    "lossless": "whether the decoded picture looks exactly as the original",
    "psnr_db": "peak signal-to-noise ratio, decibels, higher is better; infinite where lossless",
    "ssim": "structural similarity, up to 1, higher is better",
    "ciede2000_mean": "colour difference, mean over pixels, lower is better",
    "ciede2000_p95": "colour difference, 95th percentile over pixels, lower is better",
    "ssimulacra2": "SSIMULACRA 2.1, up to 100, higher is better",
    "encode_seconds": "pixels to file, one thread",
    "decode_seconds": "file to pixels, one thread",
}
"""Columns of a record, and what they mean."""


@dataclass(frozen=True)
class Quality:
    """
    How a column of quality is shown.

    Attributes:
        column: Its name in a record.
        title: In words, with its unit.
        higher_is_better: Its direction.
        digits: Decimals shown.
    """

    column: str
    title: str
    higher_is_better: bool
    digits: int


QUALITIES = (
    Quality("psnr_db", "PSNR, dB", True, 2),
    Quality("ssim", "SSIM", True, 4),
    Quality("ciede2000_mean", "CIEDE2000, mean", False, 2),
    Quality("ciede2000_p95", "CIEDE2000, 95th percentile", False, 2),
    Quality("ssimulacra2", "SSIMULACRA2", True, 1),
)


def key_of(picture_sha256: str, point: Point, tool: str) -> str:
    """What tells a measurement from all others: a hash of picture, codec, its version, and setting."""
    text = json.dumps([picture_sha256, asdict(point), tool], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def record_from_json(values: Mapping[str, Any]) -> Record:
    """
    The inverse of `Record.as_json`.

    Raises:
        TypeError, KeyError: It is not one.
    """
    names = {field.name for field in fields(Record)}
    known = {name: value for name, value in values.items() if name in names}
    if values["lossless"]:
        known["psnr_db"] = math.inf
    return Record(**known)
