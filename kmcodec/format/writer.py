"""An indexed picture to the bytes of a `.kmc` file."""

from __future__ import annotations

from dataclasses import dataclass

from kmcodec.format.container import Coding, Header, encode_header
from kmcodec.format.cores import run_on_cores
from kmcodec.format.frames import store
from kmcodec.format.metadata import encode_metadata
from kmcodec.format.packing import pack_labels, widths_for
from kmcodec.format.palette import encode_palette
from kmcodec.format.plain import encode_plain
from kmcodec.format.predicted import encode_predicted
from kmcodec.format.prediction.choice import SMALL_PIXELS, all_parameters, choose
from kmcodec.format.prediction.parameters import Parameters
from kmcodec.format.strips import CHECK_BYTES, strip_check, strip_height_for
from kmcodec.indexed import IndexedImage, Labels, Palette

DEFAULT_EFFORT = 5

_ZSTD = {1: (1, 4), 2: (9, 4), 3: (15, 4), 4: (17, 4), 5: (19, 4), 6: (22, 4), 7: (19, 3), 8: (20, 3), 9: (22, 3)}
"""
Level and shortest repetition of plain coding at each effort. Repetitions of 3 bytes save 0 to 6 % of a photo; without
them it is decoded in 0.85 times the time.
"""

_PREDICTED_FROM = 3  # effort
_OUT_OF_REACH = 0.65
"""Predicted coding that takes this share of plain coding at zstd's first level is smaller than at any level."""


@dataclass(frozen=True)
class _Coded:
    """The strips of a picture under one coding."""

    coding: Coding
    parameter: int
    payloads: list[bytes]

    def __len__(self) -> int:
        return sum(map(len, self.payloads))


def dumps(
    image: IndexedImage,
    *,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
) -> bytes:
    """
    Write an indexed picture, without loss: `loads` gives back its palette, labels and metadata exactly.

    Args:
        image: The picture.
        coding: "predicted", smallest; "plain", fastest to decode; None for predicted from effort 3 on. Plain coding
            takes the place of predicted where it is smaller.
        effort: 1, fastest, to 9, smallest.
        threads: How many threads may work on a large picture; None for one a core. The bytes do not depend on it.

    Returns:
        A whole `.kmc` file.

    Raises:
        TypeError: `image` is not an IndexedImage.
        ValueError: `coding`, `effort` or `threads` is out of range.
    """
    if not isinstance(image, IndexedImage):
        raise TypeError(f"image must be an IndexedImage, not {type(image).__name__}")
    if int(image.labels.max()) >= len(image.palette):
        raise ValueError(
            "the labels of this image were changed after it was made: not all are below its palette's size"
        )
    if effort not in _ZSTD:
        raise ValueError(f"effort must be a whole number from 1 to 9, not {effort!r}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, or None for one a core, not {threads!r}")
    strip_height = strip_height_for(image.width, image.height) if len(image.palette) > 1 else image.height
    coded = _encode_strips(image, strip_height, _coding_of(coding, effort), effort, threads)
    header = encode_header(
        Header(
            coding=coded.coding,
            parameter=coded.parameter,
            width=image.width,
            height=image.height,
            colors=len(image.palette),
            channels=image.palette.shape[1],
            strip_height=strip_height,
            stored_palette=encode_palette(image.palette),
            strip_bytes=tuple(len(payload) + CHECK_BYTES for payload in coded.payloads),
            metadata=encode_metadata(image.metadata),
        )
    )
    parts = [header.encoded]
    for strip, payload in enumerate(coded.payloads):
        rows = header.rows_of_strip(strip)
        labels = image.labels[rows.start : rows.stop] if coded.coding is Coding.PREDICTED else None
        parts += [payload, strip_check(header.check, strip, payload, labels)]
    return b"".join(parts)


def _coding_of(coding: Coding | str | None, effort: int) -> Coding:
    if coding is None:
        return Coding.PREDICTED if effort >= _PREDICTED_FROM else Coding.PLAIN
    if isinstance(coding, Coding):
        return coding
    if coding.upper() not in Coding.__members__:
        raise ValueError(f"coding must be 'predicted', 'plain' or None, not {coding!r}")
    return Coding[coding.upper()]


def _encode_strips(image: IndexedImage, strip_height: int, coding: Coding, effort: int, threads: int | None) -> _Coded:
    if len(image.palette) == 1:
        return _Coded(Coding.PLAIN, 0, [])
    strips = [image.labels[top : top + strip_height] for top in range(0, image.height, strip_height)]
    if coding is Coding.PLAIN:
        return _plain(strips, len(image.palette), effort, threads)
    predicted = _predicted(image, strips, effort, threads)
    if image.labels.size > SMALL_PIXELS and len(predicted) < _OUT_OF_REACH * _quick_size(image.labels):
        return predicted
    return min(predicted, _plain(strips, len(image.palette), effort, threads), key=len)


def _plain(strips: list[Labels], colors: int, effort: int, threads: int | None) -> _Coded:
    """Packed at the width that takes the fewest bytes."""
    level, min_match = _ZSTD[effort]

    def at_width(bits: int) -> _Coded:
        def encode(strip: Labels) -> bytes:
            return encode_plain(strip, bits, level=level, min_match=min_match)

        return _Coded(Coding.PLAIN, bits, run_on_cores(encode, strips, threads))

    return min(map(at_width, widths_for(colors)), key=len)


def _predicted(image: IndexedImage, strips: list[Labels], effort: int, threads: int | None) -> _Coded:
    """Small pictures under the parameters that take the fewest bytes, large ones under those that a trial favours."""
    pixels = strips[0].size
    if image.labels.size <= SMALL_PIXELS:
        tries = all_parameters(pixels, len(image.palette))
    else:
        tries = [choose(image.labels, image.palette, pixels, effort=effort, threads=threads)]
    return min((_under(parameters, strips, image.palette, threads) for parameters in tries), key=len)


def _under(parameters: Parameters, strips: list[Labels], palette: Palette, threads: int | None) -> _Coded:
    payloads = run_on_cores(lambda strip: encode_predicted(strip, palette, parameters), strips, threads)
    return _Coded(Coding.PREDICTED, int(parameters), payloads)


def _quick_size(labels: Labels) -> int:
    """What plain coding takes at the least effort: it may win where patterns repeat far apart, or nothing repeats."""
    bits = 8 * labels.itemsize
    return len(store(pack_labels(labels, bits), level=1))
