"""A picture as a palette and one label a pixel: what the quantiser makes and the format stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kmcodec.expand import expand_labels

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""Colours, shape (height, width, 3) RGB or (height, width, 4) RGBA with straight alpha."""

Palette: TypeAlias = npt.NDArray[np.uint8]
"""Colours, shape (K, 3) RGB or (K, 4) RGBA, 1 ≤ K ≤ 65 536."""

Labels: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""Palette indices, shape (height, width); uint8 where K ≤ 256, else uint16."""

MAX_COLORS = 65_536
MAX_SIDE = (1 << 32) - 1
_MAX_TERM = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """
    What a file says about its picture. It is stored as given and never interpreted.

    Attributes:
        icc: ICC colour profile.
        exif: EXIF block, from its TIFF header on.
        xmp: XMP packet, UTF-8.
        text: Keyword and text pairs, such as ("Author", "…"), in order; without NUL characters.
        dpi: Pixels per inch, horizontal and vertical; numerators and denominators from 1 to 2³² − 1.

    Raises:
        TypeError: A field is of another type.
        ValueError: Text contains a NUL character, or a resolution is out of range.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[Fraction, Fraction] | None = None

    def __post_init__(self) -> None:
        for name in ("icc", "exif", "xmp"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bytes):
                raise TypeError(f"metadata {name} must be bytes or None, not {_kind(value)}")
        for pair in self.text:
            if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
                raise TypeError(f"metadata text must be pairs of strings, not {pair!r}")
            if any("\0" in part for part in pair):
                raise ValueError(f"metadata text must not contain NUL characters: {pair!r}")
        if self.dpi is not None:
            _check_dpi(self.dpi)


@dataclass(frozen=True, eq=False)
class IndexedImage:
    """
    A palette, a label for every pixel, and metadata.

    A label mask is one too: any palette of as many entries as there are classes will do. The arrays are read-only views
    of those given, which should not be changed while it is in use.

    Attributes:
        palette: uint8, shape (K, 3) or (K, 4), 1 ≤ K ≤ 65 536.
        labels: Shape (height, width), all below K; any integer type is taken and kept as uint8 or, for K > 256,
            uint16.
        metadata: Colour profile, EXIF, text.

    Raises:
        TypeError: An array is of another type.
        ValueError: A shape is wrong, or a label is not below K.
    """

    palette: Palette
    labels: Labels
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        check_palette(self.palette)
        _check_labels(self.labels, len(self.palette))
        object.__setattr__(self, "palette", _read_only(self.palette))
        object.__setattr__(self, "labels", _read_only(self.labels.astype(label_dtype(len(self.palette)), copy=False)))

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.labels)

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return len(self.labels[0])

    def to_pixels(self) -> Pixels:
        """The picture, shape (height, width, 3 or 4)."""
        return expand_labels(self.palette, self.labels)


def label_dtype(count: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The type of labels of a palette of `count` colours."""
    return np.dtype(np.uint8 if count <= 256 else np.uint16)


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def check_palette(palette: Palette) -> None:
    """Raise TypeError or ValueError for what is no palette."""
    if not isinstance(palette, np.ndarray) or palette.dtype != np.uint8:
        raise TypeError(f"palette must be a uint8 array, not {_kind(palette)}")
    if palette.ndim != 2 or palette.shape[1] not in (3, 4) or not 1 <= len(palette) <= MAX_COLORS:
        raise ValueError(f"palette must have shape (K, 3) or (K, 4), 1 ≤ K ≤ {MAX_COLORS}, not {palette.shape}")


def _check_dpi(dpi: tuple[Fraction, Fraction]) -> None:
    if not (isinstance(dpi, tuple) and len(dpi) == 2 and all(isinstance(side, Fraction) for side in dpi)):
        raise TypeError(f"metadata dpi must be two fractions or None, not {dpi!r}")
    if not all(1 <= part <= _MAX_TERM for side in dpi for part in side.as_integer_ratio()):
        raise ValueError(f"metadata dpi must be of numerators and denominators from 1 to {_MAX_TERM}, not {dpi!r}")


def _check_labels(labels: Labels, count: int) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "ui":
        raise TypeError(f"labels must be an array of integers, not {_kind(labels)}")
    if labels.ndim != 2 or not 1 <= min(labels.shape) <= max(labels.shape) <= MAX_SIDE:
        raise ValueError(f"labels must have shape (height, width), both ≥ 1, not {labels.shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        raise ValueError(f"labels must be from 0 to {count - 1}, below the palette's size; found {low} to {high}")


def _kind(value: object) -> str:
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
