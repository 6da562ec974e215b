"""kmcodec at many settings, where what does not change from one to the next is computed once."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np

from kmcodec.format import DEFAULT_EFFORT, dumps
from kmcodec.indexed import IndexedImage, Palette, Pixels
from kmcodec.measure.records import Point
from kmcodec.quantizer import DEFAULT_COLORS, Options, Prepared, label_pixels, prepare
from kmcodec.rate_distortion.labels import Source, choose_labels, source_of
from kmcodec.rate_distortion.quality import LOWEST_QUALITY
from kmcodec.rate_distortion.reduce import Reducer

_Value = TypeVar("_Value")
_Timed = tuple[_Value, float]  # and seconds


class OwnEncoder:
    """
    Encodes one picture at many settings, with the bytes that `kmcodec.encode` gives for each.

    The histogram, what rate–distortion prepares, and the palette of each K are computed once; their time counts for
    every point that needs them.

    Args:
        pixels: uint8, shape (height, width, 3 or 4).
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self._palettes: dict[int, _Timed[Palette]] = {}
        self._reducers: dict[int, _Timed[Reducer]] = {}

    def encode(self, point: Point) -> tuple[bytes, float]:
        """
        Encode at a setting, in one thread.

        Returns:
            The file, and how many seconds it would have taken alone.

        Raises:
            RuntimeError: λ or quality is given, and kmcodec was installed without a compiler.
        """
        effort = DEFAULT_EFFORT if point.effort is None else point.effort
        image, reducing = self._at_quality(point.quality, effort) if point.quality else self._of_colors(point, effort)
        data, writing = _timed(lambda: dumps(image, effort=effort, threads=1))
        return data, reducing + writing

    def _of_colors(self, point: Point, effort: int) -> _Timed[IndexedImage]:
        prepared, preparing = self._prepared
        colors = DEFAULT_COLORS if point.colors is None else point.colors
        if colors not in self._palettes:
            self._palettes[colors] = _timed(lambda: prepared.fit_palette(colors))
        palette, fitting = self._palettes[colors]
        before = preparing + fitting
        if not point.rdo:
            space = prepared.options.metric
            labels, labelling = _timed(lambda: label_pixels(prepared.pixels, palette, prepared.colors, space=space))
            return IndexedImage(palette, labels), before + labelling
        rdo, (source, sourcing) = point.rdo, self._source
        fixed = np.zeros(len(palette), bool)
        image, choosing = _timed(lambda: choose_labels(source, palette, rdo, fixed=fixed, effort=effort, threads=1))
        return image, before + sourcing + choosing

    def _at_quality(self, quality: float, effort: int) -> _Timed[IndexedImage]:
        if effort not in self._reducers:
            self._reducers[effort] = _timed(lambda: self._reducer(effort))
        reducer, preparing = self._reducers[effort]
        image, reducing = _timed(lambda: reducer.at_quality(quality))
        return image, preparing + reducing

    def _reducer(self, effort: int) -> Reducer:
        reducer = Reducer(self._pixels, Options(), effort=effort, threads=1)
        reducer.at_quality(LOWEST_QUALITY)  # of one colour there is nothing to choose: all that it does is prepare
        return reducer

    @cached_property
    def _prepared(self) -> _Timed[Prepared]:
        return _timed(lambda: prepare(self._pixels, Options()))

    @cached_property
    def _source(self) -> _Timed[Source]:
        prepared, _ = self._prepared
        return _timed(lambda: source_of(prepared.pixels, prepared.colors, prepared.options.metric))


def _timed(work: Callable[[], _Value]) -> _Timed[_Value]:
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start
