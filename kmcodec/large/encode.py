"""
Rows to a `.kmc` file, in two passes: colours are counted, and give the palette; then labels, strip by strip.

Between the second pass and the file labels wait in a temporary file, a byte or two a pixel: how they are coded is
chosen by looking at all of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from kmcodec.codec import File
from kmcodec.expand import expand_labels
from kmcodec.files import folder_of, write_whole
from kmcodec.format import DEFAULT_EFFORT, Coding
from kmcodec.format.strips import strip_height_for
from kmcodec.format.writer import EncodedStrips, check_storage, encode_strips
from kmcodec.indexed import MAX_SIDE, Metadata, Pixels
from kmcodec.large.rows import regrouped
from kmcodec.large.spool import LabelSpool, Spool
from kmcodec.metrics import PsnrSum
from kmcodec.pixels import as_pixels
from kmcodec.streams import write_all

if TYPE_CHECKING:
    from kmcodec.quantizer import Histogram, Options
    from kmcodec.quantizer.options import ColorOptions


def write_rows(
    file: File,
    blocks: Iterable[Pixels],
    colors: int | None = None,
    *,
    metadata: Metadata | None = None,
    coding: Coding | str | None = None,
    effort: int = DEFAULT_EFFORT,
    threads: int | None = None,
    **options: Unpack[ColorOptions],
) -> None:
    """
    Encode a picture that comes in blocks of rows, and need not fit in memory.

    The file is the same, byte for byte, as that of `kmcodec.write` for the whole picture: but for one with more than
    2²² different translucent colours, whose palette is fitted to cells of colours. Memory depends on the width, on the
    number of colours and on the size of the blocks, not on the height. Labels wait in a temporary file beside `file`,
    or in the system's own place for those: one byte a pixel, or two for more than 256 colours.

    Args:
        file: A path, a URL (through fsspec) or a binary file open for writing. A path or URL has its file only when
            that is whole.
        blocks: The rows from top to bottom, in uint8 arrays of shape (rows, width, 3 or 4) or, grey, (rows, width). It
            is iterated over twice, and must give the same each time: a list, or an object whose `__iter__` begins
            anew; a generator does so only once.
        colors: K, 1 to 65 536; None for 256.
        metadata: Of the file.
        coding, effort, threads: As for `kmcodec.encode`.
        **options: `lossless`, `palette`, `keep`, `rare`, `space`, `dither` and `dither_strength`, as for
            `kmcodec.quantize`. What needs the whole picture at once, `rdo` and targets, there is not.

    Raises:
        TypeError: `blocks` can be iterated over only once, a block is no uint8 array, or an option of another type.
        ValueError: Blocks do not fit together, or are others the second time; an option is out of range, or makes no
            sense with another one; or there are more than 65 536 colours, and `lossless` is asked for.
        OSError: The file, or a temporary one, cannot be written.
        ImportError: A URL, and fsspec is not installed.
    """
    from kmcodec.quantizer import Options

    if iter(blocks) is blocks:
        raise TypeError("blocks must give the rows twice: a list, or an object whose __iter__ begins anew, no iterator")
    chosen = Options(colors=colors, **options)
    folder = folder_of(file) if isinstance(file, (str, PathLike)) else None
    encoded = encode_rows(
        blocks, chosen, metadata or Metadata(), coding=coding, effort=effort, threads=threads, folder=folder
    )
    if isinstance(file, (str, PathLike)):
        write_whole(file, encoded)
    else:
        for part in encoded:
            write_all(file, part)


def encode_rows(
    blocks: Iterable[Pixels],
    options: Options,
    metadata: Metadata,
    *,
    coding: Coding | str | None,
    effort: int,
    threads: int | None,
    folder: Path | None,
    psnr: PsnrSum | None = None,
    watch: Callable[[float], object] | None = None,
) -> EncodedStrips:
    """
    Encode a picture that comes in blocks of rows; arguments and errors not named here are those of `write_rows`.

    Args:
        options: Of the quantiser.
        folder: Where temporary files are made; None for the system's own place. They are gone with the result.
        psnr: Takes in all pixels, and what becomes of them.
        watch: Told what part is coded, 0 to 1, when all blocks have been read.

    Returns:
        The file, ready to be written.
    """
    from kmcodec.quantizer import plan, row_labels, with_channels

    check_storage(coding=coding, effort=effort, threads=threads)
    counted = _count(blocks, options)
    planned = plan(counted.colors, options)
    palette = planned.chosen_palette()
    height, width = counted.height, counted.width
    strips = LabelSpool(len(palette), width, folder)
    label = row_labels(planned, palette, (height, width))
    check = 0
    for strip in regrouped(_checked(blocks), strip_height_for(width, height)):
        check = zlib.crc32(strip.data, check)
        labels = label(with_channels(strip, counted.colors.channels))
        strips.append(labels)
        if psnr is not None:
            psnr.add(strip, expand_labels(palette, labels))
    if check != counted.check:
        raise ValueError("the blocks were other rows the second time they were asked for")
    return encode_strips(
        strips,
        palette if options.palette is None else options.palette,
        metadata,
        coding=coding,
        effort=effort,
        threads=threads,
        new_payloads=lambda: Spool(folder),
        watch=watch,
    )


@dataclass(frozen=True, eq=False)
class _Counted:
    """What is known after the first pass; `check` is the CRC-32 of all samples."""

    colors: Histogram
    height: int
    width: int
    check: int


def _count(blocks: Iterable[Pixels], options: Options) -> _Counted:
    from kmcodec.quantizer import ColorCounter, channels_for, with_channels

    counter: ColorCounter | None = None
    height = width = channels = check = 0
    for block in regrouped(_checked(blocks)):
        if counter is None:
            width, channels = block.shape[1], channels_for(block.shape[2], options)
            counter = ColorCounter(channels)
        counter.add(with_channels(block, channels))
        height += len(block)
        check = zlib.crc32(block.data, check)
    if counter is None:
        raise ValueError("blocks must have at least one row")
    if height > MAX_SIDE:
        raise ValueError(f"a picture has at most {MAX_SIDE} rows, not {height}")
    return _Counted(counter.histogram(), height, width, check)


def _checked(blocks: Iterable[Pixels]) -> Iterator[Pixels]:
    """Blocks as RGB or RGBA. Raises TypeError or ValueError for one that is no picture, or is unlike the first."""
    shape: tuple[int, ...] | None = None
    for block in blocks:
        if not isinstance(block, np.ndarray):
            raise TypeError(f"blocks must be uint8 arrays, not {type(block).__name__}")
        pixels = as_pixels(block)
        if shape is not None and pixels.shape[1:] != shape:
            raise ValueError(
                f"all blocks must have one width and as many channels: {shape} at first, then {pixels.shape[1:]}"
            )
        shape = pixels.shape[1:]
        yield pixels
