"""`kmcodec decode`."""

from __future__ import annotations

import time

import click

from kmcodec.cli import options
from kmcodec.cli.jobs import STDIO, Job, Report, jobs_of, run, shown_output
from kmcodec.limits import Limits


@click.command()
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

    \b
    kmcodec decode photo.kmc
    kmcodec decode photo.kmc -o photo.webp
    kmcodec decode - <photo.kmc >photo.png
    """

    def convert(data: bytes, job: Job) -> tuple[bytes, Report]:
        return _decode_to_image(data, job, Limits(pixels=max_pixels), threads)

    run(jobs_of(inputs, output, directory, ".png"), convert, _line, overwrite=overwrite, as_json=as_json)


def _decode_to_image(data: bytes, job: Job, limits: Limits, threads: int | None) -> tuple[bytes, Report]:
    from kmcodec.format import loads
    from kmcodec.images import ending_of, save_image

    start = time.perf_counter()
    indexed = loads(data, limits=limits, threads=threads)
    image = save_image(indexed, ".png" if job.target == STDIO else ending_of(job.target))
    return image, {
        "width": indexed.width,
        "height": indexed.height,
        "colors": len(indexed.palette),
        "input_bytes": len(data),
        "output_bytes": len(image),
        "seconds": time.perf_counter() - start,
    }


def _line(report: Report) -> str:
    return (
        f"{shown_output(report['output'])}: {report['width']} x {report['height']}, K {report['colors']},"
        f" {report['input_bytes']} -> {report['output_bytes']} bytes, {report['seconds']:.2f} s"
    )
