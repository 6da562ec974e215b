"""A page that shows a sweep: one file that needs no network and no server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from kmcodec import __version__
from kmcodec.measure.colors import COLORS
from kmcodec.measure.pictures import Source, load, name_of
from kmcodec.measure.records import OWN, Point, Quality, Record
from kmcodec.measure.summary import Mean, bd_rates, means, measured_qualities, series_of
from kmcodec.measure.sweeps import Sweep
from kmcodec.measure.views import View, view_of_file, view_of_pixels

Encoded = Mapping[tuple[str, Point], bytes]
"""Encoded files, by name of the picture and point."""


def page_of(sweep: Sweep, pictures: Sequence[Source] = (), encoded: Encoded | None = None) -> str:
    """
    The page: curves, BD-rates, the table, and pictures to be compared.

    Args:
        sweep: What was measured.
        pictures: Those to be shown, of the sweep.
        encoded: Their files, by name and point; of lossless ones nothing is needed. Only what is here is shown.

    Returns:
        HTML, complete in itself. It loads nothing, and its own security policy forbids it to.

    Raises:
        ImageError, OSError: A picture cannot be read any more.
    """
    shown = [_picture(sweep, source, encoded or {}) for source in pictures]
    values = {
        "title": _title(sweep),
        "facts": _facts(sweep),
        "style": _text("page.css"),
        "script": _text("page.js"),
        "data": _json(_data(sweep)),
        "notes": _notes(sweep),
        "rows": "\n".join(_row(record) for record in sweep.records),
        "headings": _headings(),
        "pictures": "\n".join(
            f'<script type="application/json" class="picture-data" data-name="{escape(picture["name"])}">'
            f"{_json(picture)}</script>"
            for picture in shown
            if picture is not None
        ),
    }
    return _filled(_text("page.html"), values)


def _filled(template: str, values: Mapping[str, str]) -> str:
    """A template whose {{names}} are replaced, in one pass, so that nothing in a value is taken for a name."""
    head, *parts = template.split("{{")
    filled = [head]
    for part in parts:
        name, _, rest = part.partition("}}")
        filled += [values[name], rest]
    return "".join(filled)


def _text(name: str) -> str:
    return files("kmcodec.measure").joinpath(name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends that, or opens a comment."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _title(sweep: Sweep) -> str:
    names = list(dict.fromkeys(record.picture for record in sweep.records))
    return escape(f"Size against quality: {names[0] if len(names) == 1 else f'{len(names)} pictures'}")


def _facts(sweep: Sweep) -> str:
    tools = dict.fromkeys(part for record in sweep.records for part in record.tool.split(", "))
    return escape(f"{len(sweep.records)} measurements by kmcodec {__version__}. Encoded with {', '.join(tools)}.")


def _notes(sweep: Sweep) -> str:
    missing = [f"{name}: missing: {lack}" for name, lack in sweep.missing.items()]
    notes = missing + [str(failure) for failure in sweep.failures]
    if not notes:
        return "<p>Everything asked for was measured.</p>"
    return f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


_CELLS = (
    ("picture", "picture", None),
    ("codec", "codec", None),
    ("setting", "setting", None),
    ("file_bytes", "file, bytes", 0),
    ("bits_per_pixel", "bits / pixel", 3),
    ("compression_ratio", "ratio", 2),
    ("psnr_db", "PSNR, dB", 2),
    ("ssim", "SSIM", 4),
    ("ciede2000_mean", "CIEDE2000, mean", 2),
    ("ciede2000_p95", "CIEDE2000, p95", 2),
    ("ssimulacra2", "SSIMULACRA2", 1),
    ("encode_seconds", "encode, s", 3),
    ("decode_seconds", "decode, s", 3),
)


def _headings() -> str:
    return "".join(
        f'<th scope="col"{"" if digits is None else " class=number"}><button type="button">{title}</button></th>'
        for _, title, digits in _CELLS
    )


def _row(record: Record) -> str:
    row = record.as_row()
    cells = [_cell(row[column], digits) for column, _, digits in _CELLS]
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: Any, digits: int | None) -> str:
    if digits is None:
        return f"<td>{escape(str(value))}</td>"
    if value is None:
        return '<td class="number" data-value="">–</td>'
    if math.isinf(value):
        return '<td class="number" data-value="1e9">lossless</td>'
    return f'<td class="number" data-value="{value}">{value:.{digits}f}</td>'


def _data(sweep: Sweep) -> dict[str, Any]:
    """What the curves are drawn from."""
    qualities = measured_qualities(sweep.records)
    names = series_of(sweep.records)
    return {
        "qualities": [
            {
                "column": quality.column,
                "title": quality.title,
                "higher": quality.higher_is_better,
                "digits": quality.digits,
            }
            for quality in qualities
        ],
        "series": [{"name": name, "color": COLORS[i % len(COLORS)]} for i, name in enumerate(names)],
        "pictures": list(dict.fromkeys(record.picture for record in sweep.records)),
        "means": [
            _plotted(mean, mean.point, bool(mean.lossless_pictures), mean.lossless_pictures == mean.pictures, qualities)
            for mean in means(sweep.records)
        ],
        "records": [
            {"picture": record.picture} | _plotted(record, record.point, record.lossless, record.lossless, qualities)
            for record in sweep.records
        ],
        "bdRates": [vars(rate) for rate in bd_rates(sweep.records)],
    }


def _plotted(
    values: Record | Mean, point: Point, lossless: bool, alone: bool, qualities: Sequence[Quality]
) -> dict[str, Any]:
    """One point of a curve; `lossless` ones are on none, and `alone` are those of codecs that are always so."""
    return {
        "series": point.series,
        "setting": point.setting,
        "lossless": lossless,
        "alone": alone,
        "bytes": values.file_bytes,
        "values": [_finite(getattr(values, quality.column)) for quality in qualities],
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value


def _picture(sweep: Sweep, source: Source, encoded: Encoded) -> dict[str, Any] | None:
    name = name_of(source)
    records = [record for record in sweep.records if record.picture == name]
    if not records:
        return None
    pixels = load(source, max_pixels=None).pixels
    original = view_of_pixels(pixels)
    views = [view for record in records if (view := _view(record, encoded)) is not None]
    height, width = pixels.shape[:2]
    return {"name": name, "width": width, "height": height, "original": original.url, "views": views}


def _view(record: Record, encoded: Encoded) -> dict[str, Any] | None:
    data = encoded.get((record.picture, record.point))
    if data is not None and not (record.lossless and record.codec != OWN):
        view = view_of_file(record.codec, data)
    elif record.lossless:
        view = View("", None)  # the original, which is there already
    else:
        return None
    return {
        "name": f"{record.codec}, {record.setting}",
        "codec": record.codec,
        "figures": _figures(record),
        "url": view.url,
        "palette": view.palette,
    }


def _figures(record: Record) -> str:
    psnr = "lossless" if record.lossless else f"{record.psnr_db:.2f} dB"
    return f"{record.file_bytes} bytes, {record.bits_per_pixel:.3f} bits/px, {psnr}"
