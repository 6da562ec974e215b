"""How a picture is to be reduced: the options of the quantiser, checked."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from numbers import Real
from typing import Literal, TypeAlias, TypedDict

import numpy as np

from kmcodec.indexed import MAX_COLORS, Palette, check_palette
from kmcodec.quantizer.color import OPAQUE
from kmcodec.quantizer.space import OKLAB, SRGB, Space

DEFAULT_COLORS = 256

Color: TypeAlias = str | Sequence[int]
"""A colour: "#RRGGBB", "#RRGGBBAA", or three or four integers from 0 to 255."""

SpaceName: TypeAlias = Literal["srgb", "oklab"]
DitherName: TypeAlias = Literal["none", "floyd-steinberg", "ordered"]

_SPACES: dict[str, Space] = {"srgb": SRGB, "oklab": OKLAB}
_DITHERS = ("none", "floyd-steinberg", "ordered")
_HEX = re.compile(r"#?([0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?)")


class ColorOptions(TypedDict, total=False):
    """The keyword arguments that go to the quantiser, as `kmcodec.quantize` describes them."""

    lossless: bool
    palette: Palette | None
    keep: Sequence[Color]
    rare: float
    space: SpaceName
    dither: DitherName
    dither_strength: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Options:
    """
    How a picture is to be reduced, with the arguments and errors of `kmcodec.quantize`.

    An option that another one makes meaningless is an error, as long as it is not at its default.
    """

    colors: int | None = None
    lossless: bool = False
    palette: Palette | None = None
    keep: Sequence[Color] = ()
    rare: float = 0.0
    space: SpaceName = "srgb"
    dither: DitherName = "none"
    dither_strength: float = 1.0

    def __post_init__(self) -> None:
        self._check_values()
        self._check_combination()

    @property
    def count(self) -> int:
        """K, the most colours that the palette may have."""
        if self.lossless:
            return MAX_COLORS
        return DEFAULT_COLORS if self.colors is None else self.colors.__index__()

    @property
    def metric(self) -> Space:
        """Where distances are measured."""
        return _SPACES[self.space]

    @cached_property
    def kept(self) -> Palette:
        """The colours to keep, each once, shape (F, 4)."""
        colors = dict.fromkeys(parse_color(color) for color in self.keep)
        return np.array(list(colors), np.uint8).reshape(-1, 4)

    def _check_values(self) -> None:
        if self.colors is not None:
            check_integer("colors", self.colors)
        if self.colors is not None and not 1 <= self.colors <= MAX_COLORS:
            raise ValueError(f"colors must be from 1 to {MAX_COLORS}, not {self.colors}")
        for name in ("rare", "dither_strength"):
            value = getattr(self, name)
            check_number(name, value)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
        if self.space not in _SPACES:
            raise ValueError(f"space must be 'srgb' or 'oklab', not {self.space!r}")
        if self.dither not in _DITHERS:
            raise ValueError(f"dither must be 'none', 'floyd-steinberg' or 'ordered', not {self.dither!r}")
        if self.palette is not None:
            check_palette(self.palette)
        if isinstance(self.keep, str) or not isinstance(self.keep, Iterable):
            kind = "a string" if isinstance(self.keep, str) else type(self.keep).__name__
            raise TypeError(f"keep must be a sequence of colours, not {kind}")
        if len(self.kept) > self.count:
            raise ValueError(f"keep has {len(self.kept)} colours, more than the palette may have, {self.count}")

    def _check_combination(self) -> None:
        if self.lossless:
            self._exclude("lossless", ("colors", "palette", "keep", "rare", "space", "dither"), "it keeps all colours")
        if self.palette is not None:
            self._exclude("palette", ("colors", "keep", "rare"), "a given palette is used as it is")
        if self.dither == "none" and self.dither_strength != 1:
            raise ValueError("dither strength needs a dither, floyd-steinberg or ordered")

    def _exclude(self, option: str, others: tuple[str, ...], reason: str) -> None:
        for field in fields(self):
            if field.name in others and not _is_default(getattr(self, field.name), field.default):
                raise ValueError(f"{option} and {field.name} exclude each other: {reason}")


def check_integer(name: str, value: object) -> None:
    """Raise TypeError unless the argument of this name is an integer, which a bool is not."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")


def check_number(name: str, value: object) -> None:
    """Raise TypeError unless the argument of this name is a real number, which a bool is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")


def parse_color(color: Color) -> tuple[int, int, int, int]:
    """
    Red, green, blue and alpha of a colour, opaque if it does not say.

    Raises:
        TypeError: It is neither a string nor integers.
        ValueError: It is not of one of the forms of `Color`.
    """
    if isinstance(color, str):
        match = _HEX.fullmatch(color)
        if match is None:
            raise ValueError(f"a colour is #RRGGBB or #RRGGBBAA, not {color!r}")
        values = tuple(bytes.fromhex(match[1]))
    else:
        values = _integers(color)
        if len(values) not in (3, 4) or not all(0 <= value <= OPAQUE for value in values):
            raise ValueError(f"a colour is three or four integers from 0 to 255, not {values}")
    red, green, blue, alpha = (*values, OPAQUE)[:4]
    return red, green, blue, alpha


def _integers(color: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(operator.index(value) for value in color)
    except TypeError:
        raise TypeError(f"a colour must be a string, or three or four integers, not {color!r}") from None


def _is_default(value: object, default: object) -> bool:
    if isinstance(value, np.ndarray):  # a palette; == would compare its entries
        return False
    return value == default or value == []  # of colours to keep
