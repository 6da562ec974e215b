"""`kmcodec info`."""

from __future__ import annotations

import json
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from kmcodec.batch.large import limits_for
from kmcodec.cli import options
from kmcodec.cli.console import say, say_warning
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import STDIO, check_outputs, failures_of, open_input, shown_output, write_output
from kmcodec.errors import in_bytes

if TYPE_CHECKING:
    from kmcodec.format import Header
    from kmcodec.indexed import Metadata, Palette

_MOST_SHOWN = 200
"""Characters of a text in the table; in JSON there are all."""


@click.command(
    cls=Command,
    examples=[
        ("Size, colours, coding, metadata:", "kmcodec info photo.kmc"),
        ("The palette, a colour a line:", "kmcodec info photo.kmc --palette"),
        ("The palette for GIMP, or for other pictures:", "kmcodec info photo.kmc --palette-out photo.gpl"),
    ],
)
@click.argument("file", metavar="FILE", type=click.Path(readable=False))
@click.option("--palette", "with_palette", is_flag=True, help="Show the palette, a colour a line; in JSON, as well.")
@click.option(
    "--palette-out",
    metavar="OUT",
    type=click.Path(),
    help="Write the palette as one of GIMP (.gpl); - is standard output.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with the bytes of every strip.")
@options.max_pixels(", as decode does.")
def info(
    file: str, with_palette: bool, palette_out: str | None, overwrite: bool, as_json: bool, max_pixels: int
) -> None:
    """
    Show the header of a .kmc file with its metadata, or its palette.

    FILE may be - for standard input. The header is checked, and that the file is as long as it should be; the pixels
    are not decoded.
    """
    if palette_out is not None and (with_palette or as_json):
        raise click.UsageError(f"--palette-out shows nothing: leave out {'--json' if as_json else '--palette'}")
    if palette_out == "":
        raise click.UsageError("--palette-out needs a name, not an empty one")
    if palette_out is not None:
        check_outputs([palette_out], [file])
    from kmcodec.format import KmcFile

    with failures_of(file), open_input(file) as stream:
        opened = KmcFile(stream, limits=limits_for(max_pixels))
        header, palette, metadata = opened.header, opened.palette, opened.metadata
    if palette_out is not None:
        with failures_of(palette_out):
            _write_palette(palette, file, palette_out, overwrite)
    elif as_json:
        colors = {"palette": _hex_colors(palette)} if with_palette else {}
        say(json.dumps(_fields(header, metadata) | colors, indent=2))
    elif with_palette:
        _show_palette(palette)
    else:
        say(_table(_fields(header, metadata)))


def _write_palette(palette: Palette, file: str, target: str, overwrite: bool) -> None:
    from kmcodec.gpl import format_gpl

    name = "kmcodec" if file == STDIO else PurePath(file).stem
    write_output(target, format_gpl(palette, name), overwrite=overwrite)
    if palette[:, 3:].min(initial=255) < 255:
        say_warning(f"{shown_output(target)}: a .gpl file cannot hold transparency, left out")
    if target != STDIO:
        say(f"{target}: {len(palette)} colours")


def _show_palette(palette: Palette) -> None:
    """A label and a colour a line, and on a terminal that has colours the colour itself."""
    colors = _hex_colors(palette)
    width = len(str(len(colors) - 1))
    lines = [f"{label:{width}}  {color}" for label, color in enumerate(colors)]
    if sys.stdout is None or not sys.stdout.isatty():
        say("\n".join(lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line, color in zip(lines, colors, strict=True):
        console.print(Text.assemble(line, "  ", ("      ", f"on {color[:7]}")))


def _hex_colors(palette: Palette) -> list[str]:
    from kmcodec.gpl import hex_color

    return [hex_color(color) for color in palette.tolist()]


def _fields(header: Header, metadata: Metadata) -> dict[str, Any]:
    contents = _contents(metadata)
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
            {
                "kind": (kind := _kind_name(item.kind)),
                "bytes": item.size,
                "stored_bytes": len(item.stored),
                **contents.get(kind, {}),
            }
            for item in header.metadata
        ],
        "header_crc32": header.check[::-1].hex(),
        "strip_bytes": list(header.strip_bytes),
    }


def _contents(metadata: Metadata) -> dict[str, dict[str, Any]]:
    """What can be shown of each kind of metadata."""
    contents: dict[str, dict[str, Any]] = {"text": {"texts": [list(pair) for pair in metadata.text]}}
    if metadata.dpi is not None:
        contents["density"] = {"dpi": [float(side) for side in metadata.dpi]}
    if metadata.icc is not None:
        from kmcodec.profiles import description_of

        contents["icc"] = {"description": description_of(metadata.icc)}
    if metadata.exif is not None:
        from kmcodec.exif import is_whole, orientation_of

        contents["exif"] = {"orientation": orientation_of(metadata.exif) if is_whole(metadata.exif) else None}
    return contents


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


def _kind_name(kind: int) -> str:
    from kmcodec.format.container import MetadataKind

    return MetadataKind(kind).name.lower() if kind in set(MetadataKind) else f"unknown kind {kind}"


def _table(fields: dict[str, Any]) -> str:
    strips, items = fields.pop("strip_bytes"), fields["metadata"]
    fields["label_bytes"] = sum(strips)
    fields["bits_per_pixel"] = f"{fields['bits_per_pixel']:.3f}"
    fields["metadata"] = (
        ", ".join(f"{item['kind']} ({in_bytes(item['bytes'])}, stored in {item['stored_bytes']})" for item in items)
        or "none"
    )
    rows = [(name.replace("_", " "), str(value)) for name, value in fields.items()]
    rows += [row for item in items for row in _rows_of_metadata(item)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def _rows_of_metadata(item: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if item.get("description"):
        rows.append(("colour profile", _shown(item["description"])))
    if item.get("orientation"):
        rows.append(("orientation", str(item["orientation"])))
    if "dpi" in item:
        rows.append(("dpi", " x ".join(f"{side:g}" for side in item["dpi"])))
    return rows + [("text", _shown(f"{key}: {text}")) for key, text in item.get("texts", ())]


def _shown(text: str) -> str:
    """As much of a text as makes a line, without characters that move a terminal's cursor."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"
