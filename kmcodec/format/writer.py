"""An indexed picture to the bytes of a `.kmc` file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from kmcodec.format.container import Coding, Header, encode_header
from kmcodec.format.cores import map_on_cores
from kmcodec.format.frames import store
from kmcodec.format.metadata import encode_metadata
from kmcodec.format.packing import pack_labels, widths_for
from kmcodec.format.palette import encode_palette
from kmcodec.format.plain import encode_plain
from kmcodec.format.predicted import encode_predicted
from kmcodec.format.prediction.choice import SMALL_PIXELS, all_parameters, choose, row_count
from kmcodec.format.prediction.parameters import Parameters
from kmcodec.format.strips import CHECK_BYTES, strip_check, strip_height_for
from kmcodec.indexed import IndexedImage, Labels, Metadata, Palette

DEFAULT_EFFORT = 5

_Result = TypeVar("_Result")

_ZSTD = {1: (1, 4), 2: (9, 4), 3: (15, 4), 4: (17, 4), 5: (19, 4), 6: (22, 4), 7: (19, 3), 8: (20, 3), 9: (22, 3)}
"""
Level and shortest repetition of plain coding at each effort. Repetitions of 3 bytes save 0 to 6 % of a photo; without
them it is decoded in 0.85 times the time.
"""

_PREDICTED_FROM = 3  # effort
_OUT_OF_REACH = 0.65
"""Predicted coding that takes this share of plain coding at zstd's first level is smaller than at any level."""


class Payloads(Protocol):
    """Coded strips in order, kept in memory as in a list, or elsewhere."""

    def append(self, payload: bytes, /) -> None:
        """Put one after those that are there."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """All of them, in order."""
        ...


@dataclass(frozen=True, eq=False)
class EncodedStrips:
    """
    A `.kmc` file that is ready to be written: iterate over it for its bytes, in parts, as often as needed.

    Attributes:
        header: Its header; `header.file_bytes` is the length of all parts together.
    """

    header: Header
    _payloads: Payloads
    _strips: Sequence[Labels]

    def __iter__(self) -> Iterator[bytes]:
        yield self.header.encoded
        checks_labels = self.header.coding is Coding.PREDICTED
        for strip, payload in enumerate(self._payloads):
            labels = self._strips[strip] if checks_labels else None
            yield payload
            yield strip_check(self.header.check, strip, payload, labels)


@dataclass(frozen=True)
class _Coded:
    """The strips of a picture under one coding."""

    coding: Coding
    parameter: int
    payloads: Payloads
    sizes: list[int]

    def __len__(self) -> int:
        return sum(self.sizes)


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
    height = strip_height_for(image.width, image.height)
    strips = [image.labels[top : top + height] for top in range(0, image.height, height)]
    return b"".join(encode_strips(strips, image.palette, image.metadata, coding=coding, effort=effort, threads=threads))


def encode_strips(
    strips: Sequence[Labels],
    palette: Palette,
    metadata: Metadata,
    *,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    new_payloads: Callable[[], Payloads] = list,
    watch: Callable[[float], object] | None = None,
) -> EncodedStrips:
    """
    Encode a picture strip by strip. No more strips are held at once than two for each thread, and the sample by which
    the parameters are chosen: with strips and payloads on a disk, memory does not grow with the height.

    Args:
        strips: Labels, all below K, each of the height that `strip_height_for` tells, but for the last, which may have
            fewer rows; they are asked for again and again, also by several threads.
        palette: The palette.
        metadata: Of the file.
        coding, effort, threads: As for `dumps`.
        new_payloads: Makes what coded strips are put into, in order; more than one of it may be needed, one after
            another.
        watch: Told what part is coded, 0 to 1; where two codings are tried, twice.

    Returns:
        The file, ready to be written.

    Raises:
        ValueError: `coding`, `effort` or `threads` is out of range.
    """
    check_storage(coding=coding, effort=effort, threads=threads)
    encoder = _Encoder(strips, palette, effort, threads, new_payloads, watch)
    coded = encoder.encode(_coding_of(coding, effort))
    height = row_count(strips)
    header = encode_header(
        Header(
            coding=coded.coding,
            parameter=coded.parameter,
            width=strips[0].shape[1],
            height=height,
            colors=len(palette),
            channels=palette.shape[1],
            strip_height=len(strips[0]) if len(palette) > 1 else height,
            stored_palette=encode_palette(palette),
            strip_bytes=tuple(size + CHECK_BYTES for size in coded.sizes),
            metadata=encode_metadata(metadata),
        )
    )
    return EncodedStrips(header, coded.payloads, strips)


def check_storage(*, coding: Coding | str | None, effort: int, threads: int | None) -> None:
    """Raise ValueError for an option of `dumps` that is out of range."""
    _coding_of(coding, effort)
    if effort not in _ZSTD:
        raise ValueError(f"effort must be a whole number from 1 to 9, not {effort!r}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, or None for one a core, not {threads!r}")


def _coding_of(coding: Coding | str | None, effort: int) -> Coding:
    if coding is None:
        return Coding.PREDICTED if effort >= _PREDICTED_FROM else Coding.PLAIN
    if isinstance(coding, Coding):
        return coding
    if coding.upper() not in Coding.__members__:
        raise ValueError(f"coding must be 'predicted', 'plain' or None, not {coding!r}")
    return Coding[coding.upper()]


@dataclass(frozen=True, eq=False)
class _Encoder:
    """One picture under one coding after another; attributes as the arguments of `encode_strips`."""

    strips: Sequence[Labels]
    palette: Palette
    effort: int
    threads: int | None
    new_payloads: Callable[[], Payloads]
    watch: Callable[[float], object] | None

    def encode(self, coding: Coding) -> _Coded:
        if len(self.palette) == 1:
            return _Coded(Coding.PLAIN, 0, [], [])
        if coding is Coding.PLAIN:
            return self._plain()
        predicted = self._predicted()
        if not self._is_small and len(predicted) < _OUT_OF_REACH * self._quick_size():
            return predicted
        return min(predicted, self._plain(), key=len)

    @property
    def _is_small(self) -> bool:
        return row_count(self.strips) * int(self.strips[0].shape[1]) <= SMALL_PIXELS

    def _plain(self) -> _Coded:
        """Packed at the width that takes the fewest bytes."""
        level, min_match = _ZSTD[self.effort]

        def at_width(bits: int) -> _Coded:
            def encode(strip: Labels) -> bytes:
                return encode_plain(strip, bits, level=level, min_match=min_match)

            return self._under(Coding.PLAIN, bits, encode)

        return min(map(at_width, widths_for(len(self.palette))), key=len)

    def _predicted(self) -> _Coded:
        """Small pictures under the parameters that take the fewest bytes, large ones under those a trial favours."""
        if self._is_small:
            tries = all_parameters(self.strips[0].size, len(self.palette))
        else:
            tries = [choose(self.strips, self.palette, effort=self.effort, threads=self.threads)]

        def under(parameters: Parameters) -> _Coded:
            def encode(strip: Labels) -> bytes:
                return encode_predicted(strip, self.palette, parameters)

            return self._under(Coding.PREDICTED, int(parameters), encode)

        return min(map(under, tries), key=len)

    def _under(self, coding: Coding, parameter: int, encode: Callable[[Labels], bytes]) -> _Coded:
        payloads, sizes = self.new_payloads(), []
        for payload in self._of_every_strip(encode):
            payloads.append(payload)
            sizes.append(len(payload))
            if self.watch is not None:
                self.watch(len(sizes) / len(self.strips))
        return _Coded(coding, parameter, payloads, sizes)

    def _quick_size(self) -> int:
        """What plain coding takes at the least effort: it may win where patterns repeat far apart, or nothing does."""

        def size(strip: Labels) -> int:
            return len(store(pack_labels(strip, 8 * strip.itemsize), level=1))

        return sum(self._of_every_strip(size))

    def _of_every_strip(self, work: Callable[[Labels], _Result]) -> Iterator[_Result]:
        return map_on_cores(lambda strip: work(self.strips[strip]), range(len(self.strips)), self.threads)
