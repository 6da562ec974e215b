"""What a picture is encoded for: a trade of size for likeness, a quality, a PSNR or a size."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from kmcodec.errors import TargetError
from kmcodec.format import Coding, dumps
from kmcodec.indexed import IndexedImage, Metadata, Pixels
from kmcodec.metrics import indexed_psnr_db
from kmcodec.quantizer import Options, quantize_pixels
from kmcodec.quantizer.options import check_integer, check_number
from kmcodec.rate_distortion.quality import FIRST_QUALITY, HIGHEST_QUALITY, KNEE, LOWEST_QUALITY, setting_at
from kmcodec.rate_distortion.reduce import Reducer
from kmcodec.rate_distortion.search import STEP, Goal, Scale, search

_PSNR_TOLERANCE_DB = 0.1
_SIZE_TOLERANCE = 0.02
_DB_A_STEP = 0.17
_DOUBLINGS_A_STEP = 1 / 17
_OFF_BY_DB = 1.15
"""Where nearly all colours are kept, PSNR is so much lower than if all others were off by 1 in one channel."""

_NOT_WORTH_LOOKING = 1 / 128  # of the colours; going without so few saves a quarter of a percent

_MOST_BELOW = 1.0
"""
Doublings. Below quality 1, where sizes soon fall to that of one colour, a file smaller yet says no more about where the
size is met. PSNR at 60 small sizes is on average 0.11 dB below the best of a grid of K and λ, with 2 here 0.17.
"""

_STRETCH = 25
_LOW_STRETCH = 4
_SCALE = Scale(
    FIRST_QUALITY - _LOW_STRETCH * (FIRST_QUALITY - LOWEST_QUALITY),
    KNEE + _STRETCH * (HIGHEST_QUALITY - KNEE),
    slope=1.0,
    start=50.0,
    bend=FIRST_QUALITY,
)
_MOST_RDO = 1e6


@dataclass(frozen=True, kw_only=True)
class Target:
    """
    One of four ways to say how large, or how good, a picture shall be; or none, for the nearest colours.

    Attributes:
        rdo: λ, the squared error of a pixel, red, green and blue together, that one bit is worth; 0 for none.
        quality: 1, smallest, to 100, lossless where there are no more than 65 536 colours.
        psnr_db: The smallest picture of at least this PSNR, decibels, by at most 0.1 more.
        max_bytes: The best picture of at most so many bytes, by at most 2 % less where sizes allow.

    Raises:
        TypeError: One is no number, or `max_bytes` no integer.
        ValueError: More than one is given, or one is out of range.
    """

    rdo: float = 0.0
    quality: float | None = None
    psnr_db: float | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        self._check_types()
        for name in ("rdo", "quality", "psnr_db"):
            value = getattr(self, name)
            if not isinstance(value, int | float | None):  # of NumPy, or a fraction
                object.__setattr__(self, name, float(value))
        given = [field.name for field in fields(self) if getattr(self, field.name) not in (None, 0.0)]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} exclude each other: give one of them")
        if not 0 <= self.rdo <= _MOST_RDO:
            raise ValueError(f"rdo must be from 0 to {_MOST_RDO:.0f}, not {self.rdo}")
        if self.quality is not None and not 1 <= self.quality <= HIGHEST_QUALITY:
            raise ValueError(f"quality must be from 1 to 100, not {self.quality}")
        if self.psnr_db == math.inf:
            raise ValueError("psnr_db must be finite, not inf: ask for lossless if nothing may be lost")
        if self.psnr_db is not None and not self.psnr_db > 0:
            raise ValueError(f"psnr_db must be above 0, not {self.psnr_db}")
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, not {self.max_bytes}")

    def _check_types(self) -> None:
        check_number("rdo", self.rdo)
        for name in ("quality", "psnr_db"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        if self.max_bytes is not None:
            check_integer("max_bytes", self.max_bytes)

    @property
    def is_none(self) -> bool:
        """Whether every pixel shall simply take its nearest colour."""
        return self == Target()

    def check_against(self, options: Options) -> None:
        """Raise ValueError for options of the quantiser that make no sense with this target."""
        if self.is_none:
            return
        name = next(field.name for field in fields(self) if getattr(self, field.name) not in (None, 0.0))
        if options.dither != "none":
            raise ValueError(f"{name} and dither exclude each other: dithering spends the bits that {name} saves")
        if options.lossless:
            raise ValueError(f"{name} and lossless exclude each other: nothing is left to trade")
        if name != "rdo":
            for option in ("colors", "palette"):
                if getattr(options, option) is not None:
                    raise ValueError(f"{name} and {option} exclude each other: {name} chooses the colours")


@dataclass(frozen=True)
class Trial:
    """
    One encoding on the way to a target.

    Attributes:
        quality: At which it was made.
        image: The picture.
        data: The whole file.
        psnr_db: Its PSNR, decibels.
    """

    quality: float
    image: IndexedImage
    data: bytes
    psnr_db: float


def encode_for(
    target: Target,
    pixels: Pixels,
    options: Options,
    metadata: Metadata,
    *,
    coding: Coding | str | None,
    effort: int,
    threads: int | None,
    watch: Callable[[Trial], None] | None = None,
) -> tuple[IndexedImage, bytes]:
    """
    Encode a picture for a target.

    Args:
        target: What is asked for.
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        options: Of the quantiser.
        metadata: Of the file.
        coding: As of `kmcodec.dumps`.
        effort: 1 to 9.
        threads: How many threads may work; None for one a core. The result does not depend on it.
        watch: Told of every encoding of a search, of which there are at most 8.

    Returns:
        The picture and its file.

    Raises:
        ValueError: An argument is out of range, or options make no sense with the target.
        TargetError: No file is as good, or as small, as asked.
        RuntimeError: kmcodec was installed without a compiler.
    """
    target.check_against(options)

    def write(image: IndexedImage) -> tuple[IndexedImage, bytes]:
        image = IndexedImage(image.palette, image.labels, metadata)
        return image, dumps(image, coding=coding, effort=effort, threads=threads)

    if target.is_none:
        return write(quantize_pixels(pixels, options))
    reducer = Reducer(pixels, options, effort=effort, threads=threads)
    if target.rdo:
        return write(reducer.with_rdo(target.rdo))
    if target.quality is not None:
        return write(reducer.at_quality(target.quality))

    def trial_at(place: float) -> Trial:
        quality = _quality_at(place)
        image, data = write(reducer.at_quality(quality))
        trial = Trial(quality, image, data, indexed_psnr_db(pixels, image))
        if watch is not None:
            watch(trial)
        return trial

    if target.psnr_db is not None:
        best = _smallest(trial_at, target.psnr_db, _scale_for(target.psnr_db, reducer))
    else:
        assert target.max_bytes is not None  # a target that is not none has one
        best = _best(trial_at, target.max_bytes)
    return best.image, best.data


def _scale_for(psnr_db: float, reducer: Reducer) -> Scale:
    """Where to look for a PSNR: if it is so high that only nearly all colours may reach it, among these alone."""
    least, most = reducer.least_colors(psnr_db), reducer.most_colors
    lowest, highest = _place_of(least), _place_of(most)
    if least < most / 2 or lowest <= _SCALE.start:
        return replace(_SCALE, slope=_DB_A_STEP, highest=min(_SCALE.highest, max(highest, _SCALE.start)))
    if least > most * (1 - _NOT_WORTH_LOOKING):
        return Scale(highest, highest, slope=_DB_A_STEP, start=highest)
    start = min(_place_of(reducer.least_colors(psnr_db + _OFF_BY_DB)), highest)
    return Scale(lowest, highest, slope=_OFF_BY_DB / max(start - lowest, 1.0), start=start)


def _place_of(colors: int) -> float:
    """The lowest place with so many colours."""
    steps = range(round(_SCALE.lowest / STEP), round(_SCALE.highest / STEP) + 1)
    step = bisect_left(steps, colors, key=lambda step: setting_at(_quality_at(step * STEP)).colors)
    return steps[step] * STEP


def _smallest(trial_at: Callable[[float], Trial], psnr_db: float, scale: Scale) -> Trial:
    best: Trial | None = None
    most = 0.0

    def value_at(place: float) -> float:
        nonlocal best, most
        trial = trial_at(place)
        most = max(most, trial.psnr_db)
        if trial.psnr_db >= psnr_db and (best is None or len(trial.data) < len(best.data)):
            best = trial
        return trial.psnr_db

    goal = Goal(psnr_db, psnr_db + _PSNR_TOLERANCE_DB, must_exceed=True)
    search(value_at, scale, goal)
    if best is None:
        raise TargetError(f"a PSNR of {psnr_db:g} dB cannot be reached: {most:.2f} dB is the most")
    return best


def _best(trial_at: Callable[[float], Trial], max_bytes: int) -> Trial:
    best: Trial | None = None
    least = 0
    goal = Goal(math.log2(max_bytes) + math.log2(1 - _SIZE_TOLERANCE), math.log2(max_bytes), must_exceed=False)

    def value_at(place: float) -> float:
        nonlocal best, least
        trial = trial_at(place)
        size = len(trial.data)
        least = min(size, least or size)
        if size <= max_bytes and (best is None or trial.psnr_db > best.psnr_db):
            best = trial
        is_near = max_bytes - size <= _SIZE_TOLERANCE * max_bytes or trial.psnr_db == math.inf
        if size <= max_bytes and is_near:
            return goal.middle
        return max(math.log2(size), goal.low - _MOST_BELOW if place < FIRST_QUALITY else 0.0)

    search(value_at, replace(_SCALE, slope=_DOUBLINGS_A_STEP), goal)
    if best is None:
        raise TargetError(
            f"{max_bytes} bytes cannot be reached: {least} are the least, with colours and metadata as asked"
        )
    return best


def _quality_at(place: float) -> float:
    """A quality on the scale of a search, along which PSNR and the logarithm of the size rise about evenly."""
    if place < FIRST_QUALITY:
        return FIRST_QUALITY + (place - FIRST_QUALITY) / _LOW_STRETCH
    return place if place <= KNEE else KNEE + (place - KNEE) / _STRETCH
