"""Many pictures in one figure: means, curves, and BD-rates between codecs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kmcodec.measure.bd import Curve, bd_rate
from kmcodec.measure.records import QUALITIES, Point, Quality, Record


@dataclass(frozen=True, kw_only=True)
class Mean:
    """
    One codec at one setting, over pictures.

    Attributes:
        point: Codec and setting.
        pictures: How many.
        lossless_pictures: How many of them lost nothing.
        file_bytes, bits_per_pixel, compression_ratio, encode_seconds, decode_seconds: Geometric means.
        psnr_db: Arithmetic mean over pictures that lost something; infinity if none did.
        ssim, ciede2000_mean, ciede2000_p95, ssimulacra2: Arithmetic means; None if it was not measured on every one.
    """

    point: Point
    pictures: int
    lossless_pictures: int
    file_bytes: float
    bits_per_pixel: float
    compression_ratio: float
    psnr_db: float
    ssim: float | None
    ciede2000_mean: float | None
    ciede2000_p95: float | None
    ssimulacra2: float | None
    encode_seconds: float
    decode_seconds: float

    def as_json(self) -> dict[str, Any]:
        """For JSON, where an infinite PSNR is null."""
        point = self.point
        values = {name: value for name, value in vars(self).items() if name != "point"}
        described = {"codec": point.codec, "series": point.series, "setting": point.setting}
        return described | values | {"psnr_db": None if math.isinf(self.psnr_db) else self.psnr_db}


@dataclass(frozen=True, kw_only=True)
class BdRate:
    """
    How many more bytes one series takes than another, at the same quality.

    Attributes:
        series, reference: Their names.
        quality: The column in which quality is measured.
        percent: As of `bd_rate`; over several pictures, of the geometric mean of ratios.
        pictures: On how many pictures both reach some of the same qualities.
    """

    series: str
    reference: str
    quality: str
    percent: float
    pictures: int


def means(records: Iterable[Record]) -> list[Mean]:
    """Of every codec and setting, in the order in which they first appear."""
    groups: dict[Point, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.point].append(record)
    return [_mean(point, group) for point, group in groups.items()]


def series_of(records: Iterable[Record]) -> list[str]:
    """Names of the curves, in the order in which they first appear."""
    return list(dict.fromkeys(record.series for record in records))


def measured_qualities(records: Sequence[Record]) -> list[Quality]:
    """Columns of quality that any record has a value in."""
    return [quality for quality in QUALITIES if any(getattr(record, quality.column) is not None for record in records)]


def curve_of(records: Iterable[Record], series: str, quality: Quality) -> Curve:
    """Points (bytes, quality) of one series of one picture; those without loss are on no curve."""
    return [
        (record.file_bytes, value)
        for record in records
        if record.series == series and not record.lossless and (value := getattr(record, quality.column)) is not None
    ]


def bd_rates(records: Sequence[Record], reference: str | None = None) -> list[BdRate]:
    """
    Between any two series, or of all against one.

    Of pictures on which two share no range of quality, and of series with fewer than two points, there is none.

    Args:
        records: Of any number of pictures.
        reference: Name of a series; None for every one in turn.
    """
    by_picture: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        by_picture[record.picture, record.picture_sha256].append(record)
    names = series_of(records)
    found = [
        _bd_rate(list(by_picture.values()), series, other, quality)
        for other in ([reference] if reference is not None else names)
        for series in names
        if series != other
        for quality in measured_qualities(records)
    ]
    return [rate for rate in found if rate is not None]


def geometric_mean(values: Sequence[float]) -> float:
    """Of values above 0."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _bd_rate(pictures: Sequence[Sequence[Record]], series: str, reference: str, quality: Quality) -> BdRate | None:
    ratios = []
    for records in pictures:
        curves = [curve_of(records, name, quality) for name in (series, reference)]
        try:
            ratios.append(1 + bd_rate(*curves, higher_is_better=quality.higher_is_better) / 100)
        except ValueError:
            continue
    if not ratios:
        return None
    percent = 100 * (geometric_mean(ratios) - 1)
    return BdRate(series=series, reference=reference, quality=quality.column, percent=percent, pictures=len(ratios))


def _mean(point: Point, records: Sequence[Record]) -> Mean:
    lossy = [record.psnr_db for record in records if not record.lossless]
    return Mean(
        point=point,
        pictures=len(records),
        lossless_pictures=len(records) - len(lossy),
        file_bytes=geometric_mean([record.file_bytes for record in records]),
        bits_per_pixel=geometric_mean([record.bits_per_pixel for record in records]),
        compression_ratio=geometric_mean([record.compression_ratio for record in records]),
        psnr_db=math.fsum(lossy) / len(lossy) if lossy else math.inf,
        ssim=_arithmetic_mean([record.ssim for record in records]),
        ciede2000_mean=_arithmetic_mean([record.ciede2000_mean for record in records]),
        ciede2000_p95=_arithmetic_mean([record.ciede2000_p95 for record in records]),
        ssimulacra2=_arithmetic_mean([record.ssimulacra2 for record in records]),
        encode_seconds=geometric_mean([record.encode_seconds for record in records]),
        decode_seconds=geometric_mean([record.decode_seconds for record in records]),
    )


def _arithmetic_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None
