"""
A blue-noise mask, by void and cluster (Ulichney 1993): every threshold of it is a pattern of evenly scattered dots.

It is computed when it is first needed, in integers, and so the same on every machine.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache

import numpy as np
import numpy.typing as npt

SIDE = 64

_SIGMA = Decimal("1.5")  # of the filter; Ulichney's choice
_ONE = 1 << 20
_INITIAL_SHARE = 10  # of the places, one in so many gets a dot at first

Energy = npt.NDArray[np.int64]


@cache
def blue_noise() -> npt.NDArray[np.uint16]:
    """The mask: each number from 0 to 4095 once, shape (64, 64); it continues at its opposite edge."""
    filter_ = _gaussian()
    dots = _scattered(filter_)
    ranks = np.zeros(SIDE * SIDE, np.uint16)
    energy = _energy_of(dots, filter_)
    remaining, energy_left = dots.copy(), energy.copy()
    count = int(dots.sum())
    for rank in range(count - 1, -1, -1):  # the tightest cluster of the initial dots came last
        place = _tightest_cluster(remaining, energy_left)
        remaining[place], ranks[place] = False, rank
        energy_left -= _shifted(filter_, place)
    for rank in range(count, SIDE * SIDE):  # then always the largest void
        place = _largest_void(dots, energy)
        dots[place], ranks[place] = True, rank
        energy += _shifted(filter_, place)
    return ranks.reshape(SIDE, SIDE)


def _scattered(filter_: Energy) -> npt.NDArray[np.bool_]:
    """Dots at random, then moved from clusters into voids until none has a better place."""
    dots = np.zeros(SIDE * SIDE, np.bool_)
    dots[_random_places(SIDE * SIDE // _INITIAL_SHARE)] = True
    energy = _energy_of(dots, filter_)
    while True:
        cluster = _tightest_cluster(dots, energy)
        dots[cluster] = False
        energy -= _shifted(filter_, cluster)
        void = _largest_void(dots, energy)
        dots[void] = True
        energy += _shifted(filter_, void)
        if void == cluster:
            return dots


def _random_places(count: int) -> list[int]:
    """The first different numbers of a linear congruential generator (Knuth's MMIX), whatever NumPy's are."""
    state, places = 1, dict[int, None]()
    while len(places) < count:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        places[state >> 52] = None
    return list(places)


def _tightest_cluster(dots: npt.NDArray[np.bool_], energy: Energy) -> int:
    return int(np.where(dots, energy, -1).argmax())


def _largest_void(dots: npt.NDArray[np.bool_], energy: Energy) -> int:
    return int(np.where(dots, np.iinfo(np.int64).max, energy).argmin())


def _energy_of(dots: npt.NDArray[np.bool_], filter_: Energy) -> Energy:
    energy = np.zeros(SIDE * SIDE, np.int64)
    for place in np.flatnonzero(dots).tolist():
        energy += _shifted(filter_, place)
    return energy


def _shifted(filter_: Energy, place: int) -> Energy:
    """The filter about a place, shape (SIDE²,): a window on it, as it is there four times."""
    row, column = divmod(place, SIDE)
    return filter_[SIDE - row : 2 * SIDE - row, SIDE - column : 2 * SIDE - column].reshape(-1)


def _gaussian() -> Energy:
    """Gaussian weights of distances around the edge, in fixed point, twice in each direction."""
    context = Context(prec=30)
    steps = [min(d, SIDE - d) for d in range(SIDE)]
    weight = [context.exp(context.divide(Decimal(-(d * d)), context.multiply(2 * _SIGMA, _SIGMA))) for d in range(SIDE)]
    row = np.array([int(_ONE * weight[d]) for d in steps], np.int64)
    return np.tile(row[:, None] * row[None], (2, 2))
