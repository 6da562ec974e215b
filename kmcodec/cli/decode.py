"""`kmcodec decode`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options as common
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import Kind, Plan, shown_input, shown_output

if TYPE_CHECKING:
    from kmcodec.batch.jobs import Job, Outcome
    from kmcodec.batch.settings import DecodeSettings

_KIND = Kind(".png", lambda: frozenset({".kmc"}), ".kmc files")


@click.command(
    cls=Command,
    examples=[
        ("To a PNG beside the file:", "kmcodec decode photo.kmc"),
        ("To another format:", "kmcodec decode photo.kmc -o photo.webp"),
        ("A folder and those below, into another one:", "kmcodec decode . -d again --recursive"),
        ("From one program to the next:", "kmcodec decode - <photo.kmc >again.png"),
    ],
    subjects={"Output": ("output", "directory", "overwrite", "strip", "as_json", "quiet"), "Many files": common.MANY},
    environment=[common.TMPDIR],
)
@common.inputs
@common.strip
@common.of_output
@common.of_many
def decode(inputs: tuple[str, ...], output: str | None, directory: str | None, recursive: bool, **given: Any) -> None:
    """
    Decode .kmc files to images.

    IN is a .kmc file, a folder of them, or - for standard input. Each becomes a PNG of its name; the ending of OUT may
    be that of another format that Pillow writes. A PNG keeps the palette as it is, up to 256 colours. Metadata is kept
    where the format can hold it.

    A picture of more than 33554432 pixels is decoded in blocks of rows, to PNG or TIFF: memory does not grow with its
    height.
    """
    plan = Plan(inputs, output, directory, _KIND, recursive=recursive)
    from kmcodec.batch.decoding import decode_job
    from kmcodec.batch.settings import DecodeSettings
    from kmcodec.cli import batch

    options = batch.Options(**{name: given.pop(name) for name in batch.OPTION_NAMES if name in given})
    work = batch.Work("decode", "decoded", decode_job, _decode_here, _line)
    batch.run(plan, DecodeSettings(**given), options, work)


def _decode_here(job: Job[DecodeSettings]) -> Outcome:
    from kmcodec.batch.decoding import decode_job
    from kmcodec.cli.batch import STREAMS
    from kmcodec.cli.console import show_step

    return decode_job(job, storage=STREAMS, watch=lambda step: show_step(f"{shown_input(job.source)}: {step}"))


def _line(outcome: Outcome) -> str:
    return (
        f"{shown_output(outcome.target)}: {outcome.width} x {outcome.height}, K {outcome.colors},"
        f" {outcome.source_bytes} -> {outcome.target_bytes} bytes, {outcome.seconds:.2f} s"
    )
