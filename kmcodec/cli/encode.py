"""`kmcodec encode`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options as common
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import STDIO, Kind, Plan, failures_of, read_bytes, shown_input, shown_output
from kmcodec.folders import image_endings
from kmcodec.limits import Limits

if TYPE_CHECKING:
    from kmcodec.batch.jobs import Job, Outcome
    from kmcodec.batch.settings import EncodeSettings

_KIND = Kind(".kmc", image_endings, "images")


SUBJECTS = {
    "Size and likeness": ("colors", "quality", "psnr_db", "max_bytes", "rdo", "lossless"),
    "Colours": ("space", "dither", "dither_strength", "keep", "rare", "palette", "shared_palette", "as_is"),
    "Coding": ("effort", "coding", "threads"),
    "Output": ("output", "directory", "overwrite", "skip_larger", "strip", "as_json", "quiet"),
    "Many files": common.MANY,
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
        ("A folder and those below, in a way that can be resumed:", "kmcodec encode . -d all -r --log all.jsonl"),
        ("Pictures that share a palette:", "kmcodec encode *.png -d sprites --shared-palette -k 32"),
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
@common.strip
@common.of_output
@common.of_many
@click.option("--skip-larger", is_flag=True, help="Write no file that would not be smaller than its image.")
@click.option(
    "--shared-palette", is_flag=True, help="Find one palette for all images together, and give it to each of them."
)
def encode(
    inputs: tuple[str, ...],
    output: str | None,
    directory: str | None,
    recursive: bool,
    palette: str | None,
    **given: Any,
) -> None:
    """
    Encode images as .kmc files.

    IN is an image of any format that Pillow reads, a folder of them, or - for standard input. Each becomes a file of
    its name with the ending .kmc, and with the image's metadata. One line a file tells the size of its palette, bytes
    before and after, bits per pixel, PSNR and time. Of a folder those files are taken whose ending is an image's; with
    -d they keep their places in it.

    A PNG, TIFF or JPEG of more than 33554432 pixels is read, reduced and coded in blocks of rows, if pyvips is
    installed (pip install 'kmcodec[large]'): memory does not grow with its height, and labels wait on the disk, a byte
    or two a pixel.
    """

    if palette == STDIO and STDIO in inputs:
        raise click.UsageError("standard input can be a picture or the palette, not both")
    also_read = [] if palette is None else [palette]
    plan = Plan(inputs, output, directory, _KIND, recursive=recursive, also_read=also_read)
    from kmcodec.batch.encoding import encode_job
    from kmcodec.cli import batch

    options = batch.Options(**{name: given.pop(name) for name in batch.OPTION_NAMES})
    settings = _settings(given, palette, shared=options.shared_palette)
    work = batch.Work("encode", "encoded", encode_job, _encode_here, _line)
    batch.run(plan, settings, options, work)


def _settings(given: dict[str, Any], palette: str | None, *, shared: bool) -> EncodeSettings:
    """
    How files are encoded. The palette is read once for all pictures, after all else was found right.

    Raises:
        click.UsageError: Options do not go together.
        Failure: The palette cannot be read.
    """
    import numpy as np

    from kmcodec.batch.settings import EncodeSettings

    stand_in = None if palette is None else np.zeros((1, 3), np.uint8)
    try:
        settings = EncodeSettings(**given, palette=stand_in)
        if shared:
            from kmcodec.batch.palette import check_shared

            check_shared(settings)
    except ValueError as error:
        raise click.UsageError(_as_typed(error)) from error
    if palette is None:
        return settings
    from kmcodec.palettes import read_palette

    with failures_of(palette):
        colors = read_palette(read_bytes(palette), limits=Limits(pixels=settings.max_pixels))
    return replace(settings, palette=colors)


def _as_typed(error: ValueError) -> str:
    """What is wrong, with options named as on the command line."""
    return str(error).replace("psnr_db", "psnr").replace("max_bytes", "max-bytes").replace("as_is", "as-is")


def _encode_here(job: Job[EncodeSettings]) -> Outcome:
    from kmcodec.batch.encoding import encode_job
    from kmcodec.cli.batch import STREAMS
    from kmcodec.cli.console import show_step

    return encode_job(job, storage=STREAMS, watch=lambda step: show_step(f"{shown_input(job.source)}: {step}"))


def _quality_of(outcome: Outcome) -> str:
    if outcome.lossless:
        return "lossless"
    return "8 bits exact" if outcome.psnr_db is None else f"{outcome.psnr_db:.2f} dB"


def _line(outcome: Outcome) -> str:
    before, after = outcome.source_bytes or 0, outcome.target_bytes or 0
    return (
        f"{shown_output(outcome.target)}: K {outcome.colors}, {before} -> {after} bytes ({after / max(1, before):.1%}),"
        f" {outcome.bits_per_pixel:.3f} bits/px, {_quality_of(outcome)}, {outcome.seconds:.2f} s"
    )
