"""Sweeps: many pictures, many codecs, many settings."""

from __future__ import annotations

import errno
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from kmcodec import metrics as metrics_module
from kmcodec.files import FileName, write_whole
from kmcodec.format import DEFAULT_EFFORT
from kmcodec.indexed import MAX_COLORS
from kmcodec.limits import DEFAULT_LIMITS
from kmcodec.measure.bench import Outcome, Task, tool_of
from kmcodec.measure.peers import DEFAULT_PEERS, MOST_PALETTE_COLORS, PEERS
from kmcodec.measure.pictures import Source, name_of, sha256_of
from kmcodec.measure.pool import run
from kmcodec.measure.records import DEFAULT_METRICS, METRICS, OWN, Failure, Point, Record, key_of
from kmcodec.measure.state import appending, has_metrics, read_state

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_COLORS = (8, 16, 32, 64, 128, 256)
DEFAULT_PEER_QUALITIES = (10.0, 25.0, 40.0, 55.0, 70.0, 85.0)

_SMALLEST_SIDE = {
    "ssim": metrics_module.SSIM_SMALLEST_SIDE,
    "ssimulacra2": metrics_module.SSIMULACRA2_SMALLEST_SIDE,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """
    What is swept. The attributes are the arguments of `sweep`.

    Raises:
        ValueError: One is out of range, unknown, or excludes another.
    """

    colors: Sequence[int] = DEFAULT_COLORS
    rdo: Sequence[float] = (0.0,)
    quality: Sequence[float] = ()
    peers: Sequence[str] = DEFAULT_PEERS
    peer_quality: Sequence[float] = DEFAULT_PEER_QUALITIES
    metrics: Sequence[str] = DEFAULT_METRICS
    effort: int = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        _check("colors", self.colors, 1, MAX_COLORS)
        _check("rdo", self.rdo, 0, 1e6)
        _check("quality", self.quality, 1, 100)
        _check("peer_quality", self.peer_quality, 0, 100)
        _check("effort", [self.effort], 1, 9)
        for name, chosen, known in (("peer", self.peers, PEERS), ("metric", self.metrics, METRICS)):
            for unknown in set(chosen) - set(known):
                raise ValueError(f"there is no {name} {unknown!r}; there are {', '.join(known)}")
        if self.quality and any(self.rdo):
            raise ValueError("quality and rdo exclude each other: quality chooses λ")
        if not self.quality and not self.colors:
            raise ValueError("there is nothing to sweep: give colors or quality")

    @cached_property
    def missing(self) -> dict[str, str]:
        """Peers that are not on this machine, and what they lack."""
        return {name: lack for name in self.peers if (lack := PEERS[name].missing())}

    @cached_property
    def points(self) -> list[Point]:
        """Every codec at every setting, those of one codec in a row; without the peers that are missing."""
        own = (
            [Point(codec=OWN, quality=float(quality), effort=self.effort) for quality in _each(self.quality)]
            if self.quality
            else [
                Point(codec=OWN, colors=int(colors), rdo=float(rdo), effort=self.effort)
                for rdo in _each(self.rdo)
                for colors in _each(self.colors)
            ]
        )
        missing = self.missing
        return own + [point for name in self.peers if name not in missing for point in self._points_of(name)]

    def limits(self) -> dict[str, str]:
        """Peers that take some of the settings only, and which."""
        most = max(self.colors, default=0)
        if most <= MOST_PALETTE_COLORS:
            return {}
        text = f"no more than {MOST_PALETTE_COLORS} colours: measured up to there"
        return {name: text for name in self.peers if PEERS[name].knob == "colors" and name not in self.missing}

    def _points_of(self, name: str) -> list[Point]:
        knob = PEERS[name].knob
        if knob == "colors":
            colors = [int(count) for count in _each(self.colors or DEFAULT_COLORS) if count <= MOST_PALETTE_COLORS]
            return [Point(codec=name, colors=count) for count in colors]
        if knob == "quality":
            return [Point(codec=name, quality=float(quality)) for quality in _each(self.peer_quality)]
        return [Point(codec=name)]


@dataclass(frozen=True, kw_only=True)
class Step:
    """
    What has just been done.

    Attributes:
        picture: Its name.
        point: Codec and setting.
        record: What was measured, or read from the file to resume from; None if it failed.
        failure: Why it failed, or was skipped, once for a picture or its codec.
        encoded: The file, if it was asked for.
        fresh: Whether it was measured now.
    """

    picture: str
    point: Point
    record: Record | None = None
    failure: Failure | None = None
    encoded: bytes | None = None
    fresh: bool = True


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """
    What a sweep measured. Iterating gives its records.

    Attributes:
        records: By picture, codec and setting, in the order of the sweep.
        failures: What could not be measured.
        missing: Peers that are not on this machine, and what they lack.
    """

    records: tuple[Record, ...]
    failures: tuple[Failure, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def to_pandas(self) -> pd.DataFrame:
        """
        Records as rows, with the columns of `COLUMNS`.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("to_pandas needs pandas; install it with: pip install pandas") from None
        return pd.DataFrame([record.as_row() for record in self.records])


def sweep(
    pictures: Sequence[Source],
    *,
    colors: Sequence[int] = DEFAULT_COLORS,
    rdo: Sequence[float] = (0.0,),
    quality: Sequence[float] = (),
    peers: Sequence[str] = DEFAULT_PEERS,
    peer_quality: Sequence[float] = DEFAULT_PEER_QUALITIES,
    metrics: Sequence[str] = DEFAULT_METRICS,
    effort: int = DEFAULT_EFFORT,
    jobs: int = 1,
    resume: FileName | None = None,
    files: FileName | None = None,
    max_pixels: int | None = DEFAULT_LIMITS.pixels,
    watch: Callable[[Step], None] | None = None,
) -> Sweep:
    """
    Encode pictures with kmcodec and its peers at many settings, decode them, and measure size, quality and time.

    Pictures are encoded without metadata. A picture or codec that fails stops nothing else.

    Args:
        pictures: Paths, URLs, or `NamedPicture`s.
        colors: Ks, of kmcodec and of peers with a palette (which take up to 256).
        rdo: λs of kmcodec, each with each K.
        quality: Qualities of kmcodec from 1 to 100, instead of K and λ.
        peers: Names, of `PEERS`; those that are not installed are in the result's `missing`.
        peer_quality: Qualities of the peers that have one, 0 to 100, each on its own scale.
        metrics: Names, of `METRICS`. SSIMULACRA2 is slow, and not measured unless it is named.
        effort: Of kmcodec, 1 to 9.
        jobs: Processes. More than one finish sooner and tell longer times of each point; a script then needs the usual
            `if __name__ == "__main__":`.
        resume: JSON-lines file that records are appended to as they are made, and taken from if they are there.
        files: Folder to keep the encoded files in, a folder for each picture.
        max_pixels: Most pixels of a picture; None for no limit.
        watch: Told of every step.

    Raises:
        ValueError: An argument is out of range, unknown, or excludes another; or two pictures have one name.
        LinesError: `resume` is a file of something else.
        OSError: `resume` or `files` cannot be written.
        ImportError: A library that a metric needs is not installed.
    """
    settings = Settings(
        colors=colors,
        rdo=rdo,
        quality=quality,
        peers=peers,
        peer_quality=peer_quality,
        metrics=metrics,
        effort=effort,
    )
    collector = Collector(settings, pictures)
    steps = measure(settings, pictures, jobs=jobs, resume=resume, files=files, max_pixels=max_pixels)
    for step in steps:
        collector.add(step)
        if watch is not None:
            watch(step)
    return collector.result()


class Collector:
    """Gathers steps into a sweep, in order, whenever it is asked for."""

    def __init__(self, settings: Settings, pictures: Sequence[Source]) -> None:
        for name, count in Counter(map(name_of, pictures)).items():
            if count > 1:
                raise ValueError(f"two pictures are named {name}: measure them apart")
        self._missing = settings.missing
        self._order = {
            (name_of(source), point): i
            for i, (source, point) in enumerate((source, point) for source in pictures for point in settings.points)
        }
        self._records: dict[int, Record] = {}
        self._failures: list[Failure] = []

    def add(self, step: Step) -> None:
        """Take a step's record or failure."""
        if step.record is not None:
            self._records[self._order[step.picture, step.point]] = step.record
        if step.failure is not None:
            self._failures.append(step.failure)

    def result(self) -> Sweep:
        """What there is so far."""
        records = tuple(record for _, record in sorted(self._records.items()))
        return Sweep(records=records, failures=tuple(self._failures), missing=self._missing)


def measure(
    settings: Settings,
    pictures: Sequence[Source],
    *,
    jobs: int = 1,
    resume: FileName | None = None,
    files: FileName | None = None,
    max_pixels: int | None = DEFAULT_LIMITS.pixels,
    keep: Callable[[Point], bool] = lambda _: False,
) -> Generator[Step, None, None]:
    """
    As `sweep`, step by step; closing the iterator stops the work, and what is done is in the file to resume from.

    Args:
        settings: What is swept.
        pictures: Paths, URLs, or `NamedPicture`s.
        jobs, resume, files, max_pixels: As of `sweep`.
        keep: Of which points the encoded files are wanted.
    """
    check_libraries(settings.metrics)
    known = {} if resume is None else read_state(resume)
    folder = None if files is None else Path(files)
    with appending(resume) as append:
        units: list[list[Task]] = []
        for source in pictures:
            remaining: list[Task] = []
            for task, record in _tasks(settings, source, known, max_pixels):
                wanted = keep(task.point) or folder is not None
                if record is None or wanted:
                    metrics = task.metrics if record is None else None
                    remaining.append(replace(task, metrics=metrics, keep=wanted))
                if record is not None:
                    yield Step(picture=record.picture, point=task.point, record=record, fresh=False)
            units += _by_codec(remaining)
        said: set[Failure] = set()
        for task, outcome in run(units, jobs):
            if outcome.record is not None:
                append(outcome.record)
            yield _step(task, outcome, said)
            if folder is not None and outcome.encoded is not None:
                _write(folder, task, outcome.encoded)


def check_libraries(metrics: Sequence[str]) -> None:
    """Raise the ImportError of a metric whose library is not installed, before the work and not for every picture."""
    import numpy as np

    probe = np.zeros((16, 16, 3), np.uint8)
    functions = {"ssim": metrics_module.ssim, "ciede2000": metrics_module.ciede2000}
    for name in metrics:
        functions.get(name, metrics_module.psnr_db)(probe, probe)
    if "ssimulacra2" in metrics:
        metrics_module.ssimulacra2(probe, probe)


def kept_file(folder: Path, picture: str, point: Point) -> Path:
    """Where an encoded file is kept: in a folder named as the picture, by codec, setting, and the codec's ending."""
    ending = ".kmc" if point.codec == OWN else PEERS[point.codec].ending
    setting = point.setting.replace("λ", "rdo").replace(",", "").replace(" ", "-")
    path = PurePath(picture)
    parts = [part for part in path.parts if part not in (path.anchor, "..")]
    return folder.joinpath(*parts, f"{point.codec}-{setting}{ending}")


def _tasks(
    settings: Settings, source: Source, known: dict[str, Record], max_pixels: int | None
) -> Iterator[tuple[Task, Record | None]]:
    """Every point of a picture, with its record if that is known."""
    names = tuple(settings.metrics)
    try:
        sha256 = sha256_of(source) if known else ""
    except (OSError, ImportError):
        sha256 = ""  # whoever loads it will say so
    for point in settings.points:
        record = known.get(key_of(sha256, point, tool_of(point.codec))) if sha256 else None
        if record is not None and has_metrics(record, names, _SMALLEST_SIDE):
            record = replace(record, picture=name_of(source))
        else:
            record = None
        yield Task(source, point, names, False, max_pixels), record


def _by_codec(tasks: Sequence[Task]) -> list[list[Task]]:
    units: list[list[Task]] = []
    for task in tasks:
        if not units or units[-1][0].point.codec != task.point.codec:
            units.append([])
        units[-1].append(task)
    return units


def _step(task: Task, outcome: Outcome, said: set[Failure]) -> Step:
    failure = outcome.failure
    if failure in said:  # a picture that cannot be read fails for every point of it
        failure = None
    elif failure is not None:
        said.add(failure)
    return Step(
        picture=name_of(task.source),
        point=task.point,
        record=outcome.record,
        failure=failure,
        encoded=outcome.encoded,
    )


def _write(folder: Path, task: Task, data: bytes) -> None:
    file = kept_file(folder, name_of(task.source), task.point)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        wrong = next(path for path in file.parents if path.exists() and not path.is_dir())
        raise OSError(errno.ENOTDIR, "is a file, not a folder", str(wrong)) from None
    write_whole(file, data)


def _each(values: Sequence[float]) -> list[float]:
    """Every value once."""
    return list(dict.fromkeys(values))


def _check(name: str, values: Sequence[float], low: float, high: float) -> None:
    for value in values:
        if not low <= value <= high or math.isnan(value):
            raise ValueError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
