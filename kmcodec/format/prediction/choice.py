"""Which parameters of the model an encoder chooses: by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2

import numpy as np
import numpy.typing as npt

from kmcodec.format.cores import run_on_cores
from kmcodec.format.prediction.kernel import Flags, encode_flags
from kmcodec.format.prediction.parameters import MAX_TABLE_BITS, MIN_TABLE_BITS, ContextSet, Parameters
from kmcodec.indexed import Labels, Palette

SMALL_PIXELS = 1 << 14
"""Up to so many pixels everything is tried in full."""

_NO_TRIAL, _FAST_ONLY, _LIKELY_ONLY, _USUAL_TABLES = 3, 5, 7, 8  # up to which effort

_SAMPLE_PIXELS = 1 << 21
"""So many are tried of a large picture."""

_FAST_SAMPLE_PIXELS = 1 << 17
"""Enough to tell photos from graphics, which is all that the fast sets are tried for."""

_BANDS = 4

_GRAPHICS_HANDICAP = 1.01
"""By how much the set of graphics must be smaller to be worth the time that decoding takes with it."""


def all_parameters(pixels: int, colors: int) -> list[Parameters]:
    """All that are worth trying where time does not count: every set, and for small pictures fewer streams."""
    return [
        Parameters(context_set, table_bits_for(pixels, colors, context_set), sparse)
        for context_set in ContextSet
        for sparse in ((False, True) if pixels <= SMALL_PIXELS else (False,))
    ]


def largest_parameters(pixels: int, colors: int) -> list[Parameters]:
    """
    Every set, with tables that grow with the picture and are out of every cache.

    Of three screenshots in 256 colours the set of graphics took 1.4 to 2.6 % fewer bytes, of a photo in 2048 the deep
    one 1.2 %; decoding took 1.9 to 2.2 times as long.
    """
    bits = _growing_bits(pixels, colors)
    return [Parameters(context_set, max(MIN_TABLE_BITS, min(bits, MAX_TABLE_BITS))) for context_set in ContextSet]


def fast_parameters(pixels: int, colors: int) -> list[Parameters]:
    """One for photos of about so many colours that is worth the time it takes to decode, and one for graphics."""
    photo = ContextSet.MIDDLE if colors <= 32 else ContextSet.RICH if colors <= 128 else ContextSet.SMOOTH
    return _parameters((photo, ContextSet.GRAPHICS), pixels, colors)


def likely_parameters(pixels: int, colors: int) -> list[Parameters]:
    """What is smallest on most pictures with about so many colours."""
    few = (ContextSet.MIDDLE,) if colors <= 32 else ()
    return _parameters((*few, ContextSet.DEEP, ContextSet.GRAPHICS), pixels, colors)


def _parameters(sets: tuple[ContextSet, ...], pixels: int, colors: int) -> list[Parameters]:
    return [Parameters(context_set, table_bits_for(pixels, colors, context_set)) for context_set in sets]


def table_bits_for(pixels: int, colors: int, context_set: ContextSet) -> int:
    """Tables grow with the picture as far as that pays; small ones stay in the second-level cache."""
    if context_set is ContextSet.GRAPHICS or colors > 256:
        most = 16
    elif context_set is ContextSet.SMOOTH:
        most = 13
    else:
        most = 14
    return max(MIN_TABLE_BITS, min(_growing_bits(pixels, colors), most))


def _growing_bits(pixels: int, colors: int) -> int:
    """A line for one to eight pixels; never more lines than pixels, which the format forbids."""
    bits = (colors - 1).bit_length()
    return (pixels * max(1, bits // 4) - 1).bit_length() - 3


def choose(strips: Sequence[Labels], palette: Palette, *, effort: int, threads: int | None) -> Parameters:
    """
    The parameters under which the flags of a sample have the least entropy.

    Args:
        strips: Labels of the whole picture, in strips of one height, but for a last one that may be lower; tables are
            sized for the first.
        palette: Its palette.
        effort: Up to 3 takes what is fast to decode photos with; up to 5 tries whether a large picture is one; 6 and 7
            try what is likely smallest, as 4 and 5 do of a small one; 8 tries all, and 9 all with larger tables.
        threads: How many threads may work; None for one a core.
    """
    first = strips[0]
    height = row_count(strips)
    if effort <= _NO_TRIAL:
        return fast_parameters(first.size, len(palette))[0]
    weigh_time = effort <= _FAST_ONLY and height * first.shape[1] > _FAST_SAMPLE_PIXELS
    tries = (fast_parameters if weigh_time else _unhurried(effort))(first.size, len(palette))
    sample = _sample(strips, height, _FAST_SAMPLE_PIXELS if weigh_time else _SAMPLE_PIXELS)

    def cost(parameters: Parameters) -> float:
        total = sum(map(_entropy, encode_flags(sample, palette, parameters)))
        handicapped = weigh_time and parameters.context_set is ContextSet.GRAPHICS
        return total * _GRAPHICS_HANDICAP if handicapped else total

    costs = run_on_cores(cost, tries, threads)
    return tries[costs.index(min(costs))]


def _unhurried(effort: int) -> Callable[[int, int], list[Parameters]]:
    if effort <= _LIKELY_ONLY:
        return likely_parameters
    return all_parameters if effort <= _USUAL_TABLES else largest_parameters


def row_count(strips: Sequence[Labels]) -> int:
    """Rows of all strips, all but the last of one height."""
    return (len(strips) - 1) * len(strips[0]) + len(strips[-1])


def _sample(strips: Sequence[Labels], height: int, pixels: int) -> Labels:
    """The picture, or of a large one the bands of rows in which labels change most often: there the bytes are."""
    rows = max(1, pixels // _BANDS // strips[0].shape[1])
    if height <= _BANDS * rows:
        return np.concatenate(strips)
    busiest = np.argsort(-_changes(strips, rows, height // rows), kind="stable")[:_BANDS]
    return np.concatenate([_rows(strips, band * rows, (band + 1) * rows) for band in np.sort(busiest).tolist()])


def _changes(strips: Sequence[Labels], rows: int, bands: int) -> npt.NDArray[np.int64]:
    """How often labels change along the rows of every band; the last has those of rows left over, too."""
    changes = np.zeros(bands, np.int64)
    top = 0
    for strip in strips:
        band = np.minimum(np.arange(top, top + len(strip)) // rows, bands - 1)
        np.add.at(changes, band, np.count_nonzero(strip[:, 1:] != strip[:, :-1], axis=1))
        top += len(strip)
    return changes


def _rows(strips: Sequence[Labels], start: int, stop: int) -> Labels:
    """Rows start to stop − 1 of the picture."""
    height = len(strips[0])
    first, last = start // height, (stop - 1) // height
    parts = [strips[strip] for strip in range(first, last + 1)]
    return np.concatenate(parts)[start - first * height : stop - first * height]


def _entropy(flags: Flags) -> float:
    """Bits that an ideal coder needs; zstd comes within 2 %."""
    ones = int(np.bitwise_count(np.frombuffer(flags.packed, np.uint8)).sum())
    zeros = flags.count - ones
    if not ones or not zeros:
        return 0.0
    return ones * log2(flags.count / ones) + zeros * log2(flags.count / zeros)
