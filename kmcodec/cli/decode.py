"""`kmcodec decode`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from kmcodec.cli import options
from kmcodec.cli.console import say_warning
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import STDIO, Contents, Job, Report, jobs_of, open_input, run, shown_output
from kmcodec.cli.large import decode_large, is_taken_in_rows, limits_for
from kmcodec.limits import Limits

if TYPE_CHECKING:
    from kmcodec.indexed import IndexedImage


@click.command(
    cls=Command,
    examples=[
        ("To a PNG beside the file:", "kmcodec decode photo.kmc"),
        ("To another format:", "kmcodec decode photo.kmc -o photo.webp"),
        ("From one program to the next:", "kmcodec decode - <photo.kmc >again.png"),
    ],
    subjects={"Output": ("output", "directory", "overwrite", "as_json")},
    environment=[options.TMPDIR],
)
@options.inputs
@options.of_output
def decode(
    inputs: tuple[str, ...],
    output: str | None,
    directory: str | None,
    overwrite: bool,
    as_json: bool,
    threads: int | None,
    max_pixels: int,
) -> None:
    """
    Decode .kmc files to images.

    IN is a .kmc file, or - for standard input. Each becomes a PNG of its name; the ending of OUT may be that of
    another format that Pillow writes. A PNG keeps the palette as it is, up to 256 colours.

    A picture of more than 33554432 pixels is decoded in blocks of rows, to PNG or TIFF: memory does not grow with its
    height.
    """

    def convert(job: Job) -> tuple[Contents, Report]:
        return _decode_to_image(job, limits_for(max_pixels), threads)

    run(jobs_of(inputs, output, directory, ".png"), convert, _line, overwrite=overwrite, as_json=as_json)


def _decode_to_image(job: Job, limits: Limits, threads: int | None) -> tuple[Contents, Report]:
    from kmcodec.format import KmcFile
    from kmcodec.images import ending_of, save_image
    from kmcodec.indexed import IndexedImage

    start = time.perf_counter()
    ending = ".png" if job.target == STDIO else ending_of(job.target)
    with open_input(job.source) as stream:
        file = KmcFile(stream, limits=limits, threads=threads)
        if is_taken_in_rows(file.header.pixels, ending):
            return decode_large(job, file, ending)
        indexed = IndexedImage(file.palette, file.labels(), file.metadata)
    image = save_image(indexed, ending)
    _warn_of_losses(indexed, shown_output(job.target), ending)
    return image, {
        "width": indexed.width,
        "height": indexed.height,
        "colors": len(indexed.palette),
        "input_bytes": file.header.file_bytes,
        "output_bytes": len(image),
        "seconds": time.perf_counter() - start,
    }


def _warn_of_losses(indexed: IndexedImage, target: str, ending: str) -> None:
    from kmcodec.images import is_lossy, unsaved_keywords

    if is_lossy(indexed, ending):
        say_warning(f"{target}: {ending} is lossy, other pixels than those of the .kmc file; .png keeps them")
    if keywords := unsaved_keywords(indexed.metadata, ending):
        say_warning(f"{target}: a PNG cannot hold text of the keyword {keywords[0]!r}, left out")


def _line(report: Report) -> str:
    return (
        f"{shown_output(report['output'])}: {report['width']} x {report['height']}, K {report['colors']},"
        f" {report['input_bytes']} -> {report['output_bytes']} bytes, {report['seconds']:.2f} s"
    )
