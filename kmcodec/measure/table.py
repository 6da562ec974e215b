"""Figures on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmcodec.measure.records import QUALITIES
from kmcodec.measure.summary import BdRate, Mean, means
from kmcodec.measure.sweeps import Sweep

if TYPE_CHECKING:
    from rich.table import Table

_NONE = "–"
_GAP = 2  # between two columns: a padding and a divider, a character each
_SHORT = {
    "psnr_db": "PSNR\ndB",
    "ssim": "SSIM",
    "ciede2000_mean": "CIEDE\nmean",
    "ciede2000_p95": "CIEDE\np95",
    "ssimulacra2": "SSIMU-\nLACRA2",
}


@dataclass(frozen=True)
class _Column:
    """A heading, what is below it, and how early it gives way on a narrow terminal; 0 stays."""

    heading: str
    cell: Callable[[Mean], str]
    gives_way: int


def table_of(sweep: Sweep, *, width: int) -> Table:
    """
    A row for each codec and setting, means over pictures; columns that do not fit are left out, and named below.

    Args:
        sweep: What was measured.
        width: Of the terminal, in characters.
    """
    from rich import box
    from rich.table import Table

    rows = means(sweep.records)
    pictures = len({(record.picture, record.picture_sha256) for record in sweep.records})
    columns = [column for column in _columns(pictures, rows) if any(column.cell(row) != _NONE for row in rows)]
    shown = _fitting(columns, rows, width)
    left_out = [_in_one_line(column.heading) for column in columns if column not in shown]
    table = Table(
        title=_title(sweep, pictures),
        caption=f"Too narrow for {', '.join(left_out)}; --csv and --json have all." if left_out else None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )
    for i, column in enumerate(shown):
        table.add_column(column.heading, justify="left" if i < 2 else "right", vertical="bottom", no_wrap=True)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        ends = following is None or following.point.series != row.point.series
        table.add_row(*(column.cell(row) for column in shown), end_section=ends and len(rows) > 1)
    return table


def bd_table_of(rates: Sequence[BdRate], reference: str, pictures: int) -> Table:
    """
    A row for each series: how many more bytes than the reference it takes, by each metric.

    Args:
        rates: Against the reference.
        reference: Its name.
        pictures: How many were measured.
    """
    from rich import box
    from rich.table import Table

    qualities = [quality for quality in QUALITIES if any(rate.quality == quality.column for rate in rates)]
    notes = ["geometric means"] if pictures > 1 else []
    if any(rate.pictures < pictures for rate in rates):
        notes.append(f"(n): of n of {pictures} pictures, the others share no range of quality")
    table = Table(
        title=f"Bytes at equal quality, against {reference} (BD-rate)",
        caption="; ".join(notes) or None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("codec", no_wrap=True)
    for quality in qualities:
        table.add_column(_SHORT[quality.column].removesuffix("\ndB"), justify="right", no_wrap=True)
    cells = {(rate.series, rate.quality): rate for rate in rates}
    for series in dict.fromkeys(rate.series for rate in rates):
        found = [cells.get((series, quality.column)) for quality in qualities]
        table.add_row(series, *(_percent(rate, pictures) for rate in found))
    return table


def _title(sweep: Sweep, pictures: int) -> str:
    if pictures == 1:
        record = sweep.records[0]
        return f"{record.picture}, {record.width} x {record.height}"
    return f"Means over {pictures} pictures"


def _columns(pictures: int, rows: Sequence[Mean]) -> list[_Column]:
    uneven = any(row.pictures != pictures for row in rows)
    return [
        _Column("codec", lambda row: row.point.codec, 0),
        _Column("setting", lambda row: row.point.setting, 0),
        _Column("pic-\ntures", (lambda row: f"{row.pictures}") if uneven else (lambda _: _NONE), 1),
        _Column("file\nbytes", lambda row: f"{row.file_bytes:.0f}", 0),
        _Column("bits\n/ px", lambda row: f"{row.bits_per_pixel:.3f}", 4),
        _Column("ratio", lambda row: f"{row.compression_ratio:.1f}", 9),
        _Column(_SHORT["psnr_db"], _psnr, 0),
        _Column(_SHORT["ssim"], lambda row: _number(row.ssim, 4), 2),
        _Column(_SHORT["ciede2000_mean"], lambda row: _number(row.ciede2000_mean, 2), 3),
        _Column(_SHORT["ciede2000_p95"], lambda row: _number(row.ciede2000_p95, 2), 8),
        _Column(_SHORT["ssimulacra2"], lambda row: _number(row.ssimulacra2, 1), 1),
        _Column("encode", lambda row: _seconds(row.encode_seconds), 6),
        _Column("decode", lambda row: _seconds(row.decode_seconds), 7),
    ]


def _fitting(columns: Sequence[_Column], rows: Sequence[Mean], width: int) -> list[_Column]:
    shown = list(columns)
    while sum(_width(column, rows) + _GAP for column in shown) > width:
        most = max(shown, key=lambda column: column.gives_way)
        if not most.gives_way:
            break
        shown.remove(most)
    return shown


def _width(column: _Column, rows: Sequence[Mean]) -> int:
    return max(map(len, [*column.heading.split("\n"), *(column.cell(row) for row in rows)]))


def _psnr(row: Mean) -> str:
    if math.isinf(row.psnr_db):
        return "lossless"
    return f"{row.psnr_db:.2f}" + (f" (+{row.lossless_pictures} lossless)" if row.lossless_pictures else "")


def _number(value: float | None, digits: int) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.2f} s"


def _percent(rate: BdRate | None, pictures: int) -> str:
    if rate is None:
        return _NONE
    return f"{rate.percent:+.1f} %{f' ({rate.pictures})' if rate.pictures < pictures else ''}"


def _in_one_line(heading: str) -> str:
    return heading.replace("-\n", "").replace("\n", " ").strip()
