"""`kmcodec info`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options
from kmcodec.cli.console import say
from kmcodec.cli.jobs import failures_of, open_input
from kmcodec.limits import Limits

if TYPE_CHECKING:
    from kmcodec.format import Header


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with the bytes of every strip.")
@options.max_pixels
def info(file: str, as_json: bool, max_pixels: int) -> None:
    """
    Show the header of a .kmc file.

    FILE may be - for standard input. The header is checked, and that the file is as long as it should be; the pixels
    are not decoded.
    """
    from kmcodec.format import KmcFile

    with failures_of(file), open_input(file) as stream:
        header = KmcFile(stream, limits=Limits(pixels=max_pixels)).header
    fields = _fields(header)
    say(json.dumps(fields, indent=2) if as_json else _table(fields))


def _fields(header: Header) -> dict[str, Any]:
    return {
        "format_version": header.version,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "colors": header.colors,
        "coding": header.coding.name.lower(),
        **_parameters(header),
        "strip_height": header.strip_height,
        "strips": header.strip_count,
        "file_bytes": header.file_bytes,
        "bits_per_pixel": 8 * header.file_bytes / header.pixels,
        "header_bytes": len(header.encoded),
        "palette_bytes": len(header.stored_palette),
        "metadata": [
            {"kind": item.kind.name.lower(), "bytes": item.size, "stored_bytes": len(item.stored)}
            for item in header.metadata
        ],
        "header_crc32": header.check[::-1].hex(),
        "strip_bytes": list(header.strip_bytes),
    }


def _parameters(header: Header) -> dict[str, Any]:
    from kmcodec.format import Coding
    from kmcodec.format.prediction.parameters import parse_parameters

    if header.coding is Coding.PLAIN:
        return {"bits_per_label": header.parameter}
    parameters = parse_parameters(header.parameter)
    return {
        "context_set": parameters.context_set.name.lower(),
        "table_bits": parameters.table_bits,
        "flag_streams": parameters.streams,
    }


def _table(fields: dict[str, Any]) -> str:
    strips = fields.pop("strip_bytes")
    fields["label_bytes"] = sum(strips)
    fields["bits_per_pixel"] = f"{fields['bits_per_pixel']:.3f}"
    fields["metadata"] = (
        ", ".join(
            f"{item['kind']} ({item['bytes']} bytes, stored in {item['stored_bytes']})" for item in fields["metadata"]
        )
        or "none"
    )
    width = max(map(len, fields))
    return "\n".join(f"{name.replace('_', ' '):{width}}  {value}" for name, value in fields.items())
