"""`kmcodec encode`."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options as common
from kmcodec.cli.console import say_warning, show_step
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import (
    STDIO,
    Contents,
    Failure,
    Job,
    Report,
    failures_of,
    jobs_of,
    read_bytes,
    run,
    shown_input,
    shown_output,
)
from kmcodec.cli.large import encode_if_large, image_source
from kmcodec.limits import Limits

if TYPE_CHECKING:
    from kmcodec.images import Picture
    from kmcodec.indexed import IndexedImage
    from kmcodec.quantizer import Options
    from kmcodec.rate_distortion import Target


SUBJECTS = {
    "Size and likeness": ("colors", "quality", "psnr_db", "max_bytes", "rdo", "lossless"),
    "Colours": ("space", "dither", "dither_strength", "keep", "rare", "palette"),
    "Coding": ("effort", "coding", "threads"),
    "Output": ("output", "directory", "overwrite", "as_json"),
}


@click.command(
    cls=Command,
    examples=[
        ("256 colours, beside the picture:", "kmcodec encode photo.png"),
        ("64 colours, for the eye rather than for PSNR:", "kmcodec encode photo.png -o a.kmc -k 64 --space oklab"),
        ("Good enough, and as small as that can be:", "kmcodec encode photo.png -o b.kmc --quality 60"),
        ("The best picture in 20000 bytes:", "kmcodec encode photo.png -o c.kmc --max-bytes 20000"),
        ("Without loss, up to 65536 colours:", "kmcodec encode photo.png -o d.kmc --lossless"),
        ("Many pictures, into a folder:", "kmcodec encode *.png -d small"),
        ("From one program to the next:", "kmcodec encode - <photo.png >e.kmc"),
    ],
    subjects=SUBJECTS,
    environment=[common.TMPDIR],
)
@common.inputs
@common.of_target
@common.of_colors
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
    coding: str | None,
    effort: int,
    output: str | None,
    directory: str | None,
    overwrite: bool,
    as_json: bool,
    threads: int | None,
    max_pixels: int,
    palette: str | None,
    rdo: float,
    quality: float | None,
    psnr_db: float | None,
    max_bytes: int | None,
    **color_options: Any,
) -> None:
    """
    Encode images as .kmc files.

    IN is an image of any format that Pillow reads, or - for standard input. Each becomes a file of its name with the
    ending .kmc. One line a file tells the size of its palette, bytes before and after, bits per pixel, PSNR and time.

    A PNG, TIFF or JPEG of more than 33554432 pixels is read, reduced and coded in blocks of rows, if pyvips is
    installed (pip install 'kmcodec[large]'): memory does not grow with its height, and labels wait on the disk, a byte
    or two a pixel.
    """

    if palette == STDIO and STDIO in inputs:
        raise click.UsageError("standard input can be a picture or the palette, not both")
    jobs = jobs_of(inputs, output, directory, ".kmc")
    target = _target(rdo=rdo, quality=quality, psnr_db=psnr_db, max_bytes=max_bytes)
    options = _options(target, color_options, palette, max_pixels)
    storage = {"coding": coding, "effort": effort, "threads": threads}

    def convert(job: Job) -> tuple[Contents, Report]:
        return _encode_image(job, target, options, storage, max_pixels)

    run(jobs, convert, _line, overwrite=overwrite, as_json=as_json)


def _target(**wanted: Any) -> Target:
    from kmcodec.rate_distortion import Target

    try:
        return Target(**wanted)
    except ValueError as error:
        raise click.UsageError(_as_typed(error)) from error


def _options(target: Target, color_options: dict[str, Any], palette: str | None, max_pixels: int) -> Options:
    """
    The options of the quantiser. The palette is read once for all pictures, after all else was found right.

    Raises:
        click.UsageError: They do not go together.
        Failure: The palette cannot be read.
    """
    import numpy as np

    from kmcodec.quantizer import Options

    stand_in = None if palette is None else np.zeros((1, 3), np.uint8)
    try:
        options = Options(**color_options, palette=stand_in)
        target.check_against(options)
    except ValueError as error:
        raise click.UsageError(_as_typed(error)) from error
    if palette is None:
        return options
    from kmcodec.palettes import read_palette

    with failures_of(palette):
        return replace(options, palette=read_palette(read_bytes(palette), limits=Limits(pixels=max_pixels)))


def _as_typed(error: ValueError) -> str:
    """What is wrong, with options named as on the command line."""
    return str(error).replace("psnr_db", "psnr").replace("max_bytes", "max-bytes")


def _encode_image(
    job: Job, target: Target, options: Options, storage: dict[str, Any], max_pixels: int
) -> tuple[Contents, Report]:
    from kmcodec.format.container import SIGNATURE
    from kmcodec.images import read_picture
    from kmcodec.metrics import bits_per_pixel, indexed_psnr_db
    from kmcodec.rate_distortion import MOST_TRIALS, Trial, encode_for

    start = time.perf_counter()
    source = image_source(job.source)
    if (large := encode_if_large(job, source, target, options, storage, max_pixels)) is not None:
        return large
    data = read_bytes(source) if isinstance(source, str) else source
    if data.startswith(SIGNATURE):
        raise Failure(f"{shown_input(job.source)}: a .kmc file already")
    picture = read_picture(data, max_pixels=max_pixels)
    trials = 0

    def watch(trial: Trial) -> None:
        nonlocal trials
        trials += 1
        progress = f"trial {trials}/{MOST_TRIALS}, {len(trial.data)} bytes, {trial.psnr_db:.2f} dB"
        show_step(f"{shown_input(job.source)}: {progress}")

    try:
        indexed, encoded = encode_for(target, picture.pixels, options, picture.metadata, **storage, watch=watch)
    except (ValueError, RuntimeError) as error:
        raise Failure(f"{shown_input(job.source)}: {error}") from error
    _warn_of_losses(picture, indexed, shown_input(job.source))
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


def _warn_of_losses(picture: Picture, indexed: IndexedImage, source: str) -> None:
    if picture.frames > 1:
        say_warning(f"{source}: only the first of its {picture.frames} frames is kept")
    if picture.profile_dropped:
        say_warning(f"{source}: its colour profile is not kept: it is not one of RGB")
    if picture.pixels.shape[2] == 4 and indexed.palette[:, 3:].min(initial=255) == 255:
        say_warning(f"{source}: its transparency is not kept: the palette has none")


def _line(report: Report) -> str:
    quality = "lossless" if report["lossless"] else f"{report['psnr_db']:.2f} dB"
    return (
        f"{shown_output(report['output'])}: K {report['colors']},"
        f" {report['input_bytes']} -> {report['output_bytes']} bytes"
        f" ({report['output_bytes'] / report['input_bytes']:.1%}),"
        f" {report['bits_per_pixel']:.3f} bits/px, {quality}, {report['seconds']:.2f} s"
    )
