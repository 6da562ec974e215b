"""How files are encoded and decoded: the same for many of them, and known again by a hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kmcodec import __version__
from kmcodec.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from kmcodec.format import Coding
    from kmcodec.indexed import Palette
    from kmcodec.quantizer.options import Color, DitherName, Options, SpaceName
    from kmcodec.rate_distortion import Target

_COLORS = ("colors", "lossless", "palette", "keep", "rare", "space", "dither", "dither_strength")
_TARGETS = ("rdo", "quality", "psnr_db", "max_bytes")
_OF_THE_RUN = ("threads", "max_pixels", "overwrite", "skip_larger")
"""What changes no byte of a file that is written."""

_HASH_DIGITS = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodeSettings:
    """
    How pictures are encoded.

    Attributes:
        colors, lossless, palette, keep, rare, space, dither, dither_strength: As of `kmcodec.quantize`.
        as_is: Whether pictures of a palette keep it and their labels; other pictures are then errors.
        rdo, quality, psnr_db, max_bytes, coding, effort: As of `kmcodec.encode`.
        threads: How many threads a picture may use, by default one: other pictures have the other cores.
        max_pixels: Most pixels of a picture; None for no limit.
        overwrite: Whether files that exist are replaced.
        skip_larger: Whether no file is written that would not be smaller than its source.
        strip: Whether all metadata is left out.

    Raises:
        TypeError, ValueError: As `kmcodec.encode`.
    """

    colors: int | None = None
    lossless: bool = False
    palette: Palette | None = None
    keep: Sequence[Color] = ()
    rare: float = 0.0
    space: SpaceName = "srgb"
    dither: DitherName = "none"
    dither_strength: float = 1.0
    as_is: bool = False
    rdo: float = 0.0
    quality: float | None = None
    psnr_db: float | None = None
    max_bytes: int | None = None
    coding: Coding | str | None = None
    effort: int = 5
    threads: int | None = 1
    max_pixels: int | None = DEFAULT_LIMITS.pixels
    overwrite: bool = False
    skip_larger: bool = False
    strip: bool = False

    def __post_init__(self) -> None:
        if self.effort not in range(1, 10):
            raise ValueError(f"effort must be a whole number from 1 to 9, not {self.effort!r}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, or None for one a core, not {self.threads!r}")
        if self.coding not in (None, "predicted", "plain"):
            raise ValueError(f"coding must be 'predicted' or 'plain', not {self.coding!r}")
        self.target.check_against(self.options)
        if self.as_is:
            self._check_as_is()

    def _check_as_is(self) -> None:
        for field in fields(self):
            if field.name in (*_COLORS, *_TARGETS) and _is_given(field.name, getattr(self, field.name), field.default):
                raise ValueError(f"as_is and {field.name} exclude each other: palette and labels are kept as they are")

    @property
    def options(self) -> Options:
        """Those of the quantiser."""
        from kmcodec.quantizer import Options

        return Options(**{name: getattr(self, name) for name in _COLORS})

    @property
    def target(self) -> Target:
        """How large, or how good, a picture shall be."""
        from kmcodec.rate_distortion import Target

        return Target(**{name: getattr(self, name) for name in _TARGETS})

    @cached_property
    def hash(self) -> str:
        """Another one for settings, and versions of kmcodec, that make other files; 16 hexadecimal digits."""
        return _hash_of("encode", self)


@dataclass(frozen=True, eq=False, kw_only=True)
class DecodeSettings:
    """
    How `.kmc` files are decoded.

    Attributes:
        threads: How many threads a picture may use, by default one: other pictures have the other cores.
        max_pixels: Most pixels of a picture; None for no limit.
        overwrite: Whether files that exist are replaced.
        strip: Whether all metadata is left out.
    """

    threads: int | None = 1
    max_pixels: int | None = DEFAULT_LIMITS.pixels
    overwrite: bool = False
    strip: bool = False

    @cached_property
    def hash(self) -> str:
        """As of `EncodeSettings`."""
        return _hash_of("decode", self)


def _is_given(name: str, value: Any, default: Any) -> bool:
    if name in ("palette", "keep"):  # arrays, perhaps
        return value is not None and len(value) > 0
    return bool(value != default)


def _hash_of(command: str, settings: EncodeSettings | DecodeSettings) -> str:
    values: dict[str, Any] = {"kmcodec": __version__, "command": command}
    values |= {field.name: getattr(settings, field.name) for field in fields(settings) if field.name not in _OF_THE_RUN}
    text = json.dumps(values, sort_keys=True, default=_as_json)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def _as_json(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
