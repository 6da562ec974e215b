"""`kmcodec encode`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options as common
from kmcodec.cli.console import say_warning
from kmcodec.cli.jobs import Failure, Job, Report, jobs_of, read_bytes, run, shown_input, shown_output

if TYPE_CHECKING:
    from kmcodec.images import Picture


@click.command()
@common.inputs
@click.option(
    "-k",
    "--colors",
    metavar="N",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    help="Most colours in the palette, 1 to 65536. A picture that has no more keeps exactly its own.",
)
@click.option(
    "--coding",
    type=click.Choice(["predicted", "plain"]),
    help="Predicted is smallest, plain fastest to decode; if not given, predicted from effort 3 on.",
)
@click.option(
    "-e",
    "--effort",
    metavar="1..9",
    type=click.IntRange(1, 9),
    default=5,
    show_default=True,
    help="1 is fastest, 9 smallest.",
)
@common.of_output
def encode(
    inputs: tuple[str, ...],
    colors: int,
    coding: str | None,
    effort: int,
    output: str | None,
    directory: str | None,
    overwrite: bool,
    as_json: bool,
    threads: int | None,
    max_pixels: int,
) -> None:
    """
    Encode images as .kmc files.

    IN is an image of any format that Pillow reads, or - for standard input. Each becomes a file of its name with the
    ending .kmc. One line a file tells the size of its palette, bytes before and after, bits per pixel, PSNR and time.

    \b
    kmcodec encode photo.png
    kmcodec encode -k 16 *.png -d small
    kmcodec encode - <photo.png >photo.kmc
    """

    def convert(job: Job) -> tuple[bytes, Report]:
        options = {"coding": coding, "effort": effort, "threads": threads}
        return _encode_image(job, colors, options, max_pixels)

    run(jobs_of(inputs, output, directory, ".kmc"), convert, _line, overwrite=overwrite, as_json=as_json)


def _encode_image(job: Job, colors: int, options: dict[str, Any], max_pixels: int) -> tuple[bytes, Report]:
    from kmcodec.codec import quantize
    from kmcodec.format import dumps
    from kmcodec.format.container import SIGNATURE
    from kmcodec.images import read_picture
    from kmcodec.indexed import IndexedImage
    from kmcodec.metrics import bits_per_pixel, indexed_psnr_db

    start = time.perf_counter()
    data = read_bytes(job.source)
    if data.startswith(SIGNATURE):
        raise Failure(f"{shown_input(job.source)}: a .kmc file already")
    picture = read_picture(data, max_pixels=max_pixels)
    _warn_of_losses(picture, shown_input(job.source))
    indexed = quantize(picture.pixels, colors)
    encoded = dumps(IndexedImage(indexed.palette, indexed.labels, picture.metadata), **options)
    seconds = time.perf_counter() - start
    psnr = indexed_psnr_db(picture.pixels, indexed)
    return encoded, {
        "width": indexed.width,
        "height": indexed.height,
        "colors": len(indexed.palette),
        "input_bytes": len(data),
        "output_bytes": len(encoded),
        "bits_per_pixel": bits_per_pixel(len(encoded), indexed.width * indexed.height),
        "lossless": math.isinf(psnr),
        "psnr_db": None if math.isinf(psnr) else psnr,
        "seconds": seconds,
    }


def _warn_of_losses(picture: Picture, source: str) -> None:
    if picture.frames > 1:
        say_warning(f"{source}: only the first of its {picture.frames} frames is kept")
    if picture.profile_dropped:
        say_warning(f"{source}: its colour profile is not kept: it is not one of RGB")


def _line(report: Report) -> str:
    quality = "lossless" if report["lossless"] else f"{report['psnr_db']:.2f} dB"
    return (
        f"{shown_output(report['output'])}: K {report['colors']},"
        f" {report['input_bytes']} -> {report['output_bytes']} bytes"
        f" ({report['output_bytes'] / report['input_bytes']:.1%}),"
        f" {report['bits_per_pixel']:.3f} bits/px, {quality}, {report['seconds']:.2f} s"
    )
