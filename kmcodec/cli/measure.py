"""`kmcodec measure`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from kmcodec.cli import options as common
from kmcodec.cli.console import progress_of, say, say_error, say_warning
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import STDIO, Failure, check_outputs, failures_of, shown_output, with_hint, write_output
from kmcodec.files import check_target

if TYPE_CHECKING:
    from kmcodec.measure.pictures import Source
    from kmcodec.measure.records import Point
    from kmcodec.measure.sweeps import Settings, Step, Sweep

_INTERRUPTED = 130
_LARGE_PAGE = 50_000_000
"""Bytes of a page that browsers take seconds to open."""


class _Numbers(click.ParamType[Any]):
    """Numbers between commas."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if not isinstance(value, str):
            return tuple(value)
        try:
            return tuple(self._kind(part) for part in value.split(","))
        except ValueError:
            what = "whole numbers" if self._kind is int else "numbers"
            self.fail(f"{value!r} is not {what} between commas, such as 16,64,256", param, ctx)


class _Names(click.ParamType[Any]):
    """Names between commas; "all" and "none" stand for what they say."""

    name = "names"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002
        ctx: click.Context | None,  # noqa: ARG002
    ) -> tuple[str, ...]:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else tuple(value)


_CODECS = (
    ("png", "Pillow, optimize."),
    ("png8", "Pillow's median cut, optimize."),
    ("pngquant", "Without dithering, as it lowers every metric; then oxipng level 4."),
    ("pngquant-dither", "The same with its usual dithering."),
    ("webp-lossless", "Pillow, method 6, quality 100."),
    ("jxl-lossless", "cjxl -d 0 -e 7."),
    ("jpeg", "Pillow, 4:2:0, optimize, progressive."),
    ("webp", "Pillow, method 6."),
    ("avif", "Pillow, 4:2:0, speed 6."),
    ("jxl", "cjxl -q, -e 7."),
)


@click.command(
    cls=Command,
    examples=[
        ("The pictures that come with kmcodec:", "kmcodec measure --samples -k 8 --peers png8"),
        ("One's own, as a page to look at:", "kmcodec measure photo.png --peers png8 --html a.html"),
        ("Some settings, and no other codec:", "kmcodec measure photo.png -k 9 --rdo 0,50 --peers none"),
        ("A long sweep that may be interrupted:", 'kmcodec measure "*.png" --peers none --resume a.jsonl'),
    ],
    subjects={
        "Settings of kmcodec": ("colors", "rdo", "quality", "effort"),
        "What is measured": ("with_samples", "peers", "peer_quality", "metrics"),
        "Work": ("jobs", "resume", "files", "max_pixels"),
        "Reports": ("csv", "json", "plot", "html", "views", "reference", "overwrite"),
    },
    tables={"Codecs, and how they run": _CODECS},
)
@click.argument("inputs", metavar="IMAGE...", nargs=-1, type=click.Path(readable=False))
@click.option("--samples", "with_samples", is_flag=True, help="Measure the pictures that come with kmcodec, too.")
@click.option(
    "-k", "--colors", metavar="N,N,...", type=_Numbers(int), help="Numbers of colours; 8,16,32,64,128,256 if not given."
)
@click.option(
    "--rdo",
    metavar="λ,λ,...",
    type=_Numbers(float),
    help="λ of kmcodec, each with each number of colours; 0 if not given.",
)
@click.option(
    "--quality",
    metavar="N,N,...",
    type=_Numbers(float),
    help="Qualities of kmcodec, 1 to 100, instead of -k and --rdo.",
)
@click.option(
    "--peers",
    metavar="NAME,NAME,...",
    type=_Names(),
    help="Codecs to compare with, or none, or all; see below. All but pngquant-dither if not given.",
)
@click.option(
    "--peer-quality",
    metavar="N,N,...",
    type=_Numbers(float),
    help="Qualities of the peers that have one, 0 to 100, each on its own scale; 10,25,40,55,70,85 if not given.",
)
@click.option(
    "--metrics",
    metavar="NAME,NAME,...",
    type=_Names(),
    help="Of psnr, ssim, ciede2000 and ssimulacra2, or all. All but ssimulacra2 if not given.",
)
@click.option(
    "-e", "--effort", metavar="1..9", type=click.IntRange(1, 9), default=5, show_default=True, help="Of kmcodec."
)
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes at work. Several are done sooner; the times they tell are longer.",
)
@click.option(
    "--resume",
    metavar="F.jsonl",
    type=click.Path(),
    help="Append every record to this file, and take from it what is there.",
)
@click.option("--files", metavar="DIR", type=click.Path(file_okay=False), help="Keep the encoded files here.")
@click.option(
    "--csv",
    metavar="F",
    type=click.Path(),
    help="Write all records as CSV; - is standard output, instead of the table.",
)
@click.option(
    "--json", metavar="F", type=click.Path(), help="Write records, means and BD-rates as JSON; - is standard output."
)
@click.option("--plot", metavar="F.png|F.svg", type=click.Path(), help="Draw the curves.")
@click.option(
    "--html", metavar="F", type=click.Path(), help="Write one page with curves, table, and the pictures to be compared."
)
@click.option(
    "--views", metavar="NAME,...", type=_Names(), help="Codecs whose pictures the page has; all if not given."
)
@click.option(
    "--reference",
    metavar="NAME",
    help="Codec, or curve, that the table compares with; the first of kmcodec if not given.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@common.max_pixels(", for the time and memory that they take.")
def measure(inputs: tuple[str, ...], with_samples: bool, **given: Any) -> None:
    """
    Measure size against quality on your own pictures.

    Each picture is encoded by kmcodec, and by the codecs one would use instead, at many settings; decoded; and
    compared with the original. IMAGE is a file, a folder, for all images in it and below, or a quoted pattern. Several
    pictures are summed up by means, and by BD-rates: bytes at equal quality. Pictures are encoded without metadata. A
    codec that is not installed is named.
    """
    if not inputs and not with_samples:
        raise click.UsageError("name pictures to measure, or use --samples")
    options = _Options(**given)
    settings = _settings(options)
    _check(options, settings)
    from kmcodec.measure.pictures import expand, samples

    named = expand(inputs)
    pictures: list[Source] = [*(samples() if with_samples else []), *named]
    check_outputs(_written(options, settings, pictures), named)
    for name in options.outputs:
        if name != STDIO:
            with failures_of(name):
                check_target(name, overwrite=options.overwrite)
    for name, lack in settings.missing.items():
        say_warning(f"{name} is missing: {lack}")
    for name, limit in settings.limits().items():
        say_warning(f"{name} has {limit}")
    sweep, encoded, stopped = _run(settings, pictures, options)
    whole = not sweep.records or _report(sweep, pictures, encoded, options)
    _finish(sweep, len(pictures) * len(settings.points), options, stopped)
    if not whole:
        sys.exit(1)


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What was given on the command line, as click names it."""

    colors: tuple[int, ...] | None
    rdo: tuple[float, ...] | None
    quality: tuple[float, ...] | None
    peers: tuple[str, ...] | None
    peer_quality: tuple[float, ...] | None
    metrics: tuple[str, ...] | None
    effort: int
    jobs: int
    resume: str | None
    files: str | None
    csv: str | None
    json: str | None
    plot: str | None
    html: str | None
    views: tuple[str, ...] | None
    reference: str | None
    overwrite: bool
    max_pixels: int

    @property
    def outputs(self) -> list[str]:
        """Files to write in the end."""
        return [name for name in (self.csv, self.json, self.plot, self.html) if name is not None]

    @property
    def writes_files(self) -> bool:
        """Whether an output is a file, which the next run finds there."""
        return any(name != STDIO for name in self.outputs)

    @property
    def uses_stdout(self) -> bool:
        """Whether standard output is for something else than the table."""
        return STDIO in (self.csv, self.json)


def _settings(options: _Options) -> Settings:
    from kmcodec.measure.peers import PEERS
    from kmcodec.measure.records import METRICS
    from kmcodec.measure.sweeps import Settings

    if options.quality and (options.colors or options.rdo):
        raise click.UsageError("--quality chooses colours and λ: give it, or -k and --rdo")
    chosen: dict[str, Any] = {
        "colors": options.colors,
        "rdo": options.rdo,
        "quality": options.quality,
        "peers": _chosen(options.peers, list(PEERS)),
        "peer_quality": options.peer_quality,
        "metrics": _chosen(options.metrics, list(METRICS)),
    }
    try:
        settings = Settings(effort=options.effort, **{key: value for key, value in chosen.items() if value is not None})
        _chosen_codecs(options, settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return settings


def _chosen(names: tuple[str, ...] | None, known: Sequence[str]) -> tuple[str, ...] | None:
    if names is None:
        return None
    if names == ("none",):
        return ()
    return tuple(known) if names == ("all",) else names


def _chosen_codecs(options: _Options, settings: Settings) -> None:
    """Raise ValueError for codecs that are named and not measured."""
    points = settings.points
    codecs = {point.codec for point in points} | set(settings.missing)
    for name in _chosen(options.views, ()) or ():
        if name not in codecs:
            raise ValueError(f"--views names {name!r}, which is not measured")
    series = {point.series for point in points} | codecs
    if options.reference is not None and options.reference not in series:
        there = ", ".join(sorted(series))
        raise ValueError(f"--reference names {options.reference!r}, which is not measured; there are {there}")


def _check(options: _Options, settings: Settings) -> None:
    """Find what stands in the way before the work, not after."""
    if options.csv == options.json == STDIO:
        raise click.UsageError("--csv and --json cannot both be standard output")
    if STDIO in (options.plot, options.html):
        raise click.UsageError("--plot and --html need the name of a file")
    if options.views is not None and options.html is None:
        raise click.UsageError("--views needs --html")
    if options.plot is not None and PurePath(options.plot).suffix.lower() not in (".png", ".svg"):
        raise click.UsageError("--plot needs a name that ends in .png or .svg")
    from kmcodec.measure.sweeps import check_libraries

    with failures_of(""):
        check_libraries(settings.metrics)
        if options.plot is not None:
            from kmcodec.measure.plot import check_matplotlib

            check_matplotlib()


def _written(options: _Options, settings: Settings, pictures: Sequence[Source]) -> list[str]:
    """Names of all files that are written, in the end or before."""
    written = options.outputs if options.resume is None else [*options.outputs, options.resume]
    if options.files is not None:
        from kmcodec.measure.pictures import name_of
        from kmcodec.measure.sweeps import kept_file

        folder = Path(options.files)
        written += [str(kept_file(folder, name_of(source), point)) for source in pictures for point in settings.points]
    return written


def _run(
    settings: Settings, pictures: Sequence[Source], options: _Options
) -> tuple[Sweep, dict[tuple[str, Point], bytes], int]:
    """What was measured, the files that the page shows, and the exit code if it ended before its time, else 0."""
    from kmcodec.measure import sweeps

    try:
        collector = sweeps.Collector(settings, pictures)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    encoded: dict[tuple[str, Point], bytes] = {}
    steps = sweeps.measure(
        settings,
        pictures,
        jobs=options.jobs,
        resume=options.resume,
        files=options.files,
        max_pixels=options.max_pixels,
        keep=_shown_by(options),
    )
    stopped = 0
    total = len(pictures) * len(settings.points)
    done: set[tuple[str, Point]] = set()
    with progress_of(total) as advance, closing(steps):
        try:
            with failures_of(options.resume or ""):
                for step in steps:
                    collector.add(step)
                    if step.encoded is not None:
                        encoded[step.picture, step.point] = step.encoded
                    _complain_once(step)
                    if (step.picture, step.point) not in done:
                        advance(f"{step.picture}: {step.point.codec}, {step.point.setting}", step.fresh)
                    done.add((step.picture, step.point))
        except KeyboardInterrupt:
            stopped = _INTERRUPTED
        except Failure as failure:  # the disk is full: what is measured is reported all the same
            say_error(str(failure))
            stopped = 1
    return collector.result(), encoded, stopped


def _shown_by(options: _Options) -> Callable[[Point], bool]:
    """Which files the page needs."""
    if options.html is None or options.views == ("none",):
        return lambda _: False
    views = options.views
    return lambda point: views is None or views == ("all",) or point.codec in views


def _complain_once(step: Step) -> None:
    if step.failure is not None and step.failure.skipped:
        say_warning(f"{step.failure} (skipped)")
    elif step.failure is not None:
        say_error(with_hint(str(step.failure)))


def _report(
    sweep: Sweep, pictures: Sequence[Source], encoded: dict[tuple[str, Point], bytes], options: _Options
) -> bool:
    """Print and write all that was asked for; false if a part of it failed."""
    from kmcodec.measure.files import csv_of, json_of
    from kmcodec.measure.page import page_of
    from kmcodec.measure.plot import plot_of

    if not options.uses_stdout:
        _print_tables(sweep, options.reference)
    is_svg = options.plot is not None and options.plot.lower().endswith(".svg")
    shown = () if options.views == ("none",) else pictures
    outputs: list[tuple[str | None, Callable[[], bytes]]] = [
        (options.csv, lambda: csv_of(sweep).encode()),
        (options.json, lambda: json_of(sweep).encode()),
        (options.plot, lambda: plot_of(sweep, "svg" if is_svg else "png")),
        (options.html, lambda: page_of(sweep, shown, encoded).encode()),
    ]
    written = [_write(name, make, options) for name, make in outputs if name is not None]
    return all(written)


def _write(name: str, make: Callable[[], bytes], options: _Options) -> bool:
    """Write a report. One that fails is said, and does not keep the others from being written."""
    try:
        with failures_of(name):
            data = make()
            write_output(name, data, overwrite=options.overwrite)
    except Failure as failure:
        say_error(str(failure))
        return False
    if name != STDIO:
        hint = "; --views kmcodec would make it smaller" if name == options.html and len(data) > _LARGE_PAGE else ""
        say(f"{shown_output(name)}: {len(data)} bytes{hint}", err=options.uses_stdout)
    return True


def _print_tables(sweep: Sweep, reference: str | None) -> None:
    from rich.console import Console

    from kmcodec.measure.summary import bd_rates, series_of
    from kmcodec.measure.table import bd_table_of, table_of

    console = Console()
    console.print(table_of(sweep, width=console.width), highlight=False)
    names = series_of(sweep.records)
    against = next((name for name in names if name == reference or name.split(" ")[0] == reference), names[0])
    rates = bd_rates(sweep.records, against)
    if rates:
        pictures = len({record.picture for record in sweep.records})
        console.print(bd_table_of(rates, against, pictures), highlight=False)


def _finish(sweep: Sweep, total: int, options: _Options, stopped: int) -> None:
    """Name what failed or is not there, once more, in the end; and exit."""
    failed = [failure for failure in sweep.failures if not failure.skipped]
    if failed and len(sweep.failures) + len(sweep.records) > 1:
        say_error(f"{len(failed)} failed:")
        for failure in failed:
            say(f"  {' '.join(with_hint(str(failure)).split())}", err=True)
    if stopped == _INTERRUPTED:
        replacing = " with --overwrite" if options.writes_files and not options.overwrite else ""
        kept = f"kept in {options.resume}; the same command{replacing} goes on" if options.resume else "reported"
        say_error(f"interrupted: {len(sweep.records)} of {total} points are measured and {kept}")
    if stopped or failed:
        sys.exit(stopped or 1)
