"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kmcodec.limits import DEFAULT_LIMITS

_Command = TypeVar("_Command", bound=Callable[..., Any])

inputs = click.argument("inputs", metavar="IN...", nargs=-1, required=True)

as_json = click.option("--json", "as_json", is_flag=True, help="Report as JSON, one object a line.")

max_pixels = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMITS.pixels,
    show_default=True,
    help="Refuse larger pictures.",
)

_of_output = (
    click.option("-o", "--output", metavar="OUT", help="File to write; - is standard output."),
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
        help="Threads for a large picture; one a core if not given. They do not change the result.",
    ),
    max_pixels,
)


def of_output(command: _Command) -> _Command:
    """Where and how to write, and what to say about it."""
    for option in reversed(_of_output):
        command = option(command)
    return command
