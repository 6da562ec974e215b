"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kmcodec.limits import DEFAULT_LIMITS

_Command = TypeVar("_Command", bound=Callable[..., Any])

inputs = click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=click.Path(readable=False))

TMPDIR = ("TMPDIR", "Where temporary files of large pictures lie if the result is a pipe or a URL; else beside it.")
"""For the help of commands that have those."""

as_json = click.option("--json", "as_json", is_flag=True, help="Report as JSON, one object a line.")

strip = click.option(
    "--strip",
    is_flag=True,
    help="Leave out all metadata: colour profile, EXIF and with it the orientation, XMP, text, pixel density.",
)


def max_pixels(reason: str) -> Callable[[_Command], _Command]:
    """The option `--max-pixels`; the reason follows what it does."""
    return click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(min=1),
        default=DEFAULT_LIMITS.pixels,
        show_default=True,
        help=f"Refuse larger pictures{reason}",
    )


_of_output = (
    click.option("-o", "--output", metavar="OUT", type=click.Path(), help="File to write; - is standard output."),
    click.option(
        "-d",
        "--directory",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Folder to write to, made if need be; without it, files are written beside their input.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace files that exist."),
    as_json,
    click.option(
        "--threads",
        metavar="N",
        type=click.IntRange(min=1),
        help="Threads for a large picture; if not given, one a core, or one where several files are worked on at a"
        " time. They do not change the result.",
    ),
    max_pixels(
        ", for the time, memory and disk that they take. Beyond 33554432 pixels they are taken in blocks of rows, where"
        " that can be, and memory does not grow with their height."
    ),
)


_of_many = (
    click.option("-r", "--recursive", is_flag=True, help="Of a folder, take the files in all folders below as well."),
    click.option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="Files worked on at a time, each in a process; if not given, one a core where there is a folder or more"
        " than 8 files.",
    ),
    click.option("--log", metavar="F.jsonl", help="Append what came of each file to this one, a JSON object a line."),
    click.option(
        "--resume",
        is_flag=True,
        help="Leave alone what the log says was done, or failed, if neither file nor options have changed since.",
    ),
    click.option("--retry-failed", is_flag=True, help="As --resume, but try again what failed."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
    click.option("--fail-fast", is_flag=True, help="Begin no more files once one fails; those under way are finished."),
    click.option("--quiet", is_flag=True, help="Print warnings and errors only."),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="Work on the cluster of this Dask scheduler, whose workers see the same files, or the same URLs.",
    ),
)


_of_colors = (
    click.option(
        "-k",
        "--colors",
        metavar="N",
        type=click.IntRange(1, 65536),
        help="Most colours in the palette, 1 to 65536; 256 if not given. A picture of no more keeps exactly its own.",
    ),
    click.option(
        "--as-is",
        is_flag=True,
        help="Keep the palette and the labels of a picture that has them (PNG-8, GIF, BMP, grey) as they are.",
    ),
    click.option("--lossless", is_flag=True, help="Keep all colours, however many; up to 65536."),
    click.option(
        "--palette",
        metavar="FILE",
        type=click.Path(readable=False),
        help="Use the palette of a file: of GIMP (.gpl), a .kmc file, or an image; of one without,"
        " it is all colours. It is stored whole, in its order.",
    ),
    click.option(
        "--keep",
        metavar="#RRGGBB",
        multiple=True,
        help="A colour that the palette has in any case, or #RRGGBBAA; may be repeated. Quote it, or leave out the #.",
    ),
    click.option(
        "--rare",
        metavar="0..1",
        type=float,
        default=0.0,
        help="Up to this share of the palette goes to small areas of distinct colours, such as swatches of a legend.",
    ),
    click.option(
        "--space",
        type=click.Choice(["srgb", "oklab"]),
        default="srgb",
        show_default=True,
        help="Where colours are near: srgb for the highest PSNR, oklab for the eye.",
    ),
    click.option(
        "--dither",
        type=click.Choice(["none", "floyd-steinberg", "ordered"]),
        default="none",
        show_default=True,
        help="Mix palette colours where the right one is missing: floyd-steinberg is finest, ordered does not flicker"
        " in animations.",
    ),
    click.option(
        "--dither-strength",
        metavar="0..1",
        type=float,
        default=1.0,
        help="The part of the error that dithering makes up for; 1 if not given.",
    ),
)


_of_target = (
    click.option(
        "--rdo",
        metavar="LAMBDA",
        type=float,
        default=0.0,
        help="Choose labels by size too: the squared error that a bit is worth. 25 suits 256 colours, 100 suits 64.",
    ),
    click.option(
        "-q",
        "--quality",
        metavar="1..100",
        type=float,
        help="Choose colours and labels together, from 1, smallest, to 100, lossless up to 65536 colours.",
    ),
    click.option("--psnr", "psnr_db", metavar="DB", type=float, help="The smallest file of at least this PSNR."),
    click.option(
        "--max-bytes", metavar="N", type=click.IntRange(min=1), help="The best picture in a file of at most N bytes."
    ),
)


def of_target(command: _Command) -> _Command:
    """How large, or how good, a file shall be."""
    for option in reversed(_of_target):
        command = option(command)
    return command


def of_colors(command: _Command) -> _Command:
    """To which colours a picture is reduced, and how."""
    for option in reversed(_of_colors):
        command = option(command)
    return command


def of_output(command: _Command) -> _Command:
    """Where and how to write, and what to say about it."""
    for option in reversed(_of_output):
        command = option(command)
    return command


MANY = ("recursive", "jobs", "log", "resume", "retry_failed", "dry_run", "fail_fast", "dask")
"""Names of parameters that are about many files."""


def of_many(command: _Command) -> _Command:
    """How to go about many files."""
    for option in reversed(_of_many):
        command = option(command)
    return command
