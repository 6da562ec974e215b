"""A picture reduced to palette and labels, as often as a target takes."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from kmcodec.indexed import MAX_COLORS, IndexedImage, Palette, Pixels
from kmcodec.quantizer import Options, prepare
from kmcodec.quantizer.histogram import keys_of_pixels
from kmcodec.quantizer.labels import label_pixels, places_in_palette
from kmcodec.quantizer.nearest import nearest
from kmcodec.rate_distortion.labels import Source, choose_labels, source_of
from kmcodec.rate_distortion.quality import FIRST_QUALITY, LOWEST_QUALITY, Setting, between, setting_at

_MOST_RDO = 1.5
"""
λ at most, in mean squared errors of the nearest colours. Where K colours are nearly enough, as on screens, a greater
one would trade rare colours, such as those of smooth edges, for next to no bits.
"""

_MOST_PSNR_DB = 200
"""What no picture has that is not lossless."""

_COARSEST_RDO = 2.0
"""λ that leaves one colour, in mean squared errors of that one."""

_RDO_RANGE = 1024
"""How much less λ is at least where coarseness begins: there may be no error at 8 colours."""


class Reducer:
    """
    Reduces one picture; what does not change from one time to the next is computed once.

    Args:
        pixels: uint8, shape (height, width, 3 or 4), not empty.
        options: Of the quantiser; without dithering, which spends bits on what this saves them on.
        effort: 1 to 9, as of the codec.
        threads: How many threads may work; None for one a core. The results do not depend on it.
    """

    def __init__(self, pixels: Pixels, options: Options, *, effort: int, threads: int | None) -> None:
        self._prepared = prepare(pixels, options)
        self._effort, self._threads = effort, threads

    def with_rdo(self, rdo: float) -> IndexedImage:
        """The picture in as many colours as its options say, and labels at λ = `rdo` > 0."""
        given = self._prepared.palette
        if given is None:
            return self._chosen(self._prepared.fit_palette(self._prepared.options.count), rdo)
        chosen = choose_labels(
            self._source, given, rdo, fixed=np.ones(len(given), bool), effort=self._effort, threads=self._threads
        )
        palette = self._prepared.options.palette
        return chosen if palette is None else IndexedImage(palette, chosen.labels)

    def at_quality(self, quality: float) -> IndexedImage:
        """The picture at a quality, as of `setting_at`."""
        setting = setting_at(quality)
        palette = self._palette_at(setting)
        rdo = setting.share * (self._coarse_rdo(setting.coarseness) or self._rdo_at(setting, palette))
        if rdo == 0:
            colors = self._prepared.colors
            space = self._prepared.options.metric
            return IndexedImage(palette, label_pixels(self._prepared.pixels, palette, colors, space=space))
        return self._chosen(palette, rdo)

    @property
    def most_colors(self) -> int:
        """So many keep all of the picture, and those to keep in any case, or are the most that there may be."""
        return min(len(self._prepared.colors) + len(self._prepared.keep), MAX_COLORS)

    def least_colors(self, psnr_db: float) -> int:
        """
        Fewer than this cannot reach a PSNR, for pixels of all other colours are off by 1 in a channel at least.

        Of pictures with alpha that says nothing: what is hardly seen may be off by less.
        """
        colors = self._prepared.colors
        if colors.channels == 4:
            return 1
        errors = np.cumsum(np.sort(colors.counts))
        allowed = 3 * 255**2 * between(1.0, 10.0, -min(psnr_db, _MOST_PSNR_DB) / 10) * int(errors[-1])
        return min(max(len(colors) - int(np.searchsorted(errors, allowed, side="right")), 1), MAX_COLORS)

    @cached_property
    def _source(self) -> Source:
        return source_of(self._prepared.pixels, self._prepared.colors, self._prepared.options.metric)

    def _palette_at(self, setting: Setting) -> Palette:
        return self._prepared.fit_palette(max(setting.colors, len(self._prepared.keep), 1))

    def _rdo_at(self, setting: Setting, palette: Palette) -> float:
        return min(setting.rdo, _MOST_RDO * self._mean_squared_error(palette))

    def _coarse_rdo(self, coarseness: float) -> float:
        """λ at a coarseness, 0 to 1, or 0 where it has no say."""
        finest, coarsest = self._rdo_range
        return between(finest, coarsest, coarseness) if coarseness and coarsest else 0.0

    @cached_property
    def _rdo_range(self) -> tuple[float, float]:
        """λ where coarseness begins, and where it leaves one colour."""
        first, last = setting_at(FIRST_QUALITY), setting_at(LOWEST_QUALITY)
        coarsest = _COARSEST_RDO * self._mean_squared_error(self._palette_at(last))
        return max(self._rdo_at(first, self._palette_at(first)), coarsest / _RDO_RANGE), coarsest

    def _chosen(self, palette: Palette, rdo: float) -> IndexedImage:
        fixed = self._is_kept(palette)
        return choose_labels(self._source, palette, rdo, fixed=fixed, effort=self._effort, threads=self._threads)

    def _is_kept(self, palette: Palette) -> npt.NDArray[np.bool_]:
        kept = np.zeros(len(palette), bool)
        kept[places_in_palette(keys_of_pixels(self._prepared.keep), palette)] = True
        return kept

    def _mean_squared_error(self, palette: Palette) -> float:
        """Of a pixel, red, green and blue together, where each takes its nearest colour."""
        space, colors = self._prepared.options.metric, self._prepared.colors
        _, distances = nearest(space.coordinates(colors.colors), space.coordinates(palette))
        total = int((distances.astype(np.int64) * colors.counts).sum())
        return total * space.squared_error / int(colors.counts.sum())
