"""A `.kmc` file opened: its header at once, its rows when asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from kmcodec.blocks import BLOCK_PIXELS
from kmcodec.errors import FormatError, LimitError, TruncatedError, in_bytes
from kmcodec.expand import expand_labels
from kmcodec.format.container import Coding, Header, parse_header
from kmcodec.format.cores import available_cores, run_on_cores
from kmcodec.format.metadata import decode_metadata
from kmcodec.format.palette import decode_palette
from kmcodec.format.plain import decode_plain
from kmcodec.format.predicted import decode_predicted
from kmcodec.format.prediction.parameters import parse_parameters
from kmcodec.format.strips import CHECK_BYTES, strip_check
from kmcodec.indexed import IndexedImage, Labels, Metadata, Palette, Pixels, label_dtype
from kmcodec.limits import DEFAULT_LIMITS, Limits
from kmcodec.streams import read_up_to

_FIRST_READ = 1 << 14
_PIPE_READ = 1 << 20


class KmcFile:
    """
    An open `.kmc` file; a context manager.

    The header is read and checked when it is opened, rows when they are asked for. Reading moves the position of the
    stream, so one KmcFile serves one thread at a time.

    Attributes:
        header: Every field of the header.
        palette: uint8, shape (K, 3 or 4).
        metadata: Colour profile, EXIF, XMP and text.
    """

    header: Header
    palette: Palette
    metadata: Metadata

    def __init__(
        self,
        stream: BinaryIO,
        *,
        limits: Limits = DEFAULT_LIMITS,
        threads: int | None = None,
        close_stream: bool = False,
    ) -> None:
        """
        Args:
            stream: A binary file with nothing but a `.kmc` file in it; one that cannot seek is read whole.
            limits: What may be allocated.
            threads: How many threads may work on a large picture; None for one a core.
            close_stream: Whether closing this closes the stream.

        Raises:
            DecodeError: The data is not a `.kmc` file that can be read.
            ValueError: `threads` is less than 1.
            OSError: The stream cannot be read.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, or None for one a core, not {threads!r}")
        self._threads = threads
        self._opened = stream if close_stream else None
        self._stream = stream if stream.seekable() else _read_whole(stream, limits)
        self.header = _read_header(self._stream, limits)
        self.palette = decode_palette(self.header.stored_palette, self.header.colors, self.header.channels)
        self.metadata = decode_metadata(self.header.metadata)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the stream, if it was opened for this KmcFile."""
        if self._opened is not None:
            self._opened.close()

    def read_rows(self, start: int, stop: int) -> Pixels:
        """
        Decode rows start to stop − 1, and no strip that has none of them.

        Returns:
            uint8, shape (stop − start, width, 3 or 4).

        Raises:
            ValueError: Not 0 ≤ start < stop ≤ height.
            DecodeError: A strip is damaged.
        """
        self._check_rows(start, stop)
        pixels = np.empty((stop - start, self.header.width, self.header.channels), np.uint8)
        self._decode_rows(start, stop, lambda rows, labels: expand_labels(self.palette, labels, out=pixels[rows]))
        return pixels

    def read(self) -> Pixels:
        """The whole picture, as `read_rows`."""
        return self.read_rows(0, self.header.height)

    def labels(self) -> Labels:
        """
        The label of every pixel.

        Returns:
            Shape (height, width), uint8 where K ≤ 256, else uint16; an array of the caller's own.

        Raises:
            DecodeError: A strip is damaged.
        """
        return self.read_labels(0, self.header.height)

    def read_labels(self, start: int, stop: int) -> Labels:
        """As `labels`, of rows start to stop − 1; errors as of `read_rows`."""
        self._check_rows(start, stop)
        labels = np.empty((stop - start, self.header.width), label_dtype(self.header.colors))

        def put(rows: slice, decoded: Labels) -> None:
            labels[rows] = decoded

        self._decode_rows(start, stop, put)
        return labels

    def row_blocks(self) -> Iterator[range]:
        """
        All rows, as many at a time as are read best: with `read_rows`, a picture passes through little memory.

        A block is of whole strips, one for each thread, or of some megapixels where strips are small.
        """
        height, strip_height = self.header.height, self.header.strip_height
        if not self.header.strip_count:  # one colour: rows cost nothing
            strip_height = 1
        strips = max(self._threads or available_cores(), BLOCK_PIXELS // (strip_height * self.header.width))
        for top in range(0, height, strips * strip_height):
            yield range(top, min(top + strips * strip_height, height))

    def _check_rows(self, start: int, stop: int) -> None:
        if not 0 <= start < stop <= self.header.height:
            raise ValueError(f"rows {start} to {stop} of a picture of {self.header.height} rows")

    def _decode_rows(self, start: int, stop: int, put: Callable[[slice, Labels], object]) -> None:
        """Decode strip by strip, on all cores, and put labels where they belong, counted from `start`."""
        header = self.header
        if not header.strip_count:
            put(slice(0, stop - start), np.zeros((stop - start, header.width), np.uint8))
            return

        def decode(job: tuple[int, bytes]) -> None:
            rows = header.rows_of_strip(job[0])
            begin, end = max(start, rows.start), min(stop, rows.stop)
            labels = self._decode_strip(*job)[begin - rows.start : end - rows.start]
            put(slice(begin - start, end - start), labels)

        first, last = start // header.strip_height, (stop - 1) // header.strip_height
        run_on_cores(decode, self._read_strips(first, last + 1), self._threads)

    def _read_strips(self, first: int, stop: int) -> list[tuple[int, bytes]]:
        """Neighbouring strips, in one read."""
        offsets = self.header.strip_offsets[first : stop + 1]
        self._stream.seek(offsets[0])
        data = read_up_to(self._stream, offsets[-1] - offsets[0])
        if len(data) != offsets[-1] - offsets[0]:
            raise TruncatedError(f"the file ends after {offsets[0] + len(data)} of {self.header.file_bytes} bytes")
        if len(offsets) == 2:
            return [(first, data)]
        ends = [offset - offsets[0] for offset in offsets]
        return [(first + i, data[ends[i] : ends[i + 1]]) for i in range(stop - first)]

    def _decode_strip(self, strip: int, sealed: bytes) -> Labels:
        header = self.header
        rows = header.rows_of_strip(strip)
        payload, check = sealed[:-CHECK_BYTES], sealed[-CHECK_BYTES:]
        shape = (len(rows), header.width)
        if header.coding is Coding.PREDICTED:
            labels = decode_predicted(
                payload, shape, self.palette, parse_parameters(header.parameter), what=_name(strip)
            )
            expected = strip_check(header.check, strip, payload, labels)
        else:
            expected = strip_check(header.check, strip, payload)
        if check != expected:
            raise FormatError(f"{_name(strip)}: damaged, its CRC-32 does not fit")
        if header.coding is Coding.PLAIN:
            labels = decode_plain(payload, shape, header.parameter, header.colors, what=_name(strip))
        return labels


def loads(
    data: bytes | bytearray | memoryview, *, limits: Limits = DEFAULT_LIMITS, threads: int | None = None
) -> IndexedImage:
    """
    Read an indexed picture from the bytes of a `.kmc` file: the inverse of `dumps`.

    Args:
        data: A whole file.
        limits: What may be allocated.
        threads: How many threads may work on a large picture; None for one a core.

    Raises:
        DecodeError: The data is not a `.kmc` file that can be read.
    """
    file = KmcFile(BytesIO(data), limits=limits, threads=threads)
    return IndexedImage(file.palette, file.labels(), file.metadata)


def _read_header(stream: BinaryIO, limits: Limits) -> Header:
    """Read as much as the header turns out to need, and check that the strips fill the rest of the file exactly."""
    size = stream.seek(0, os.SEEK_END)
    _check_file_size(size, limits)
    stream.seek(0)
    data = read_up_to(stream, _FIRST_READ)
    while True:
        try:
            header = parse_header(data, limits)
            break
        except TruncatedError:
            more = read_up_to(stream, 3 * len(data))
            if not more:
                raise
            data += more
    if size < header.file_bytes:
        raise TruncatedError(f"the file ends after {size} of {header.file_bytes} bytes")
    if size > header.file_bytes:
        raise FormatError(f"the file goes on after the end of the picture, for {in_bytes(size - header.file_bytes)}")
    return header


def _read_whole(stream: BinaryIO, limits: Limits) -> BytesIO:
    whole = BytesIO()
    while part := stream.read(_PIPE_READ):
        whole.write(part)
        _check_file_size(whole.tell(), limits)
    return whole


def _check_file_size(size: int, limits: Limits) -> None:
    if limits.file_bytes is not None and size > limits.file_bytes:
        raise LimitError(f"a file of {size} bytes, over the limit of {limits.file_bytes}")


def _name(strip: int) -> str:
    return f"strip {strip}"
