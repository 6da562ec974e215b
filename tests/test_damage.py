"""Damaged and hostile files: always a DecodeError, at once, and never another picture."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import kmcodec
from kmcodec.errors import DecodeError, FormatError, LimitError, TruncatedError
from tests.test_container import header_bytes, leb128, strip


def small_files() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    palettes = {2: 3, 5: 4, 256: 3, 300: 3}
    files = {
        f"K{count}": kmcodec.dumps(
            kmcodec.IndexedImage(
                rng.integers(0, 256, (count, channels), np.uint8), np.sort(rng.integers(0, count, (8, 9)), axis=0)
            )
        )
        for count, channels in palettes.items()
    }
    labels = np.add.outer(np.arange(12) // 3, np.arange(11) // 2) % 7
    stripes = kmcodec.IndexedImage(rng.integers(0, 256, (7, 3), np.uint8), labels)
    files["predicted"] = kmcodec.dumps(stripes, coding="predicted")
    noise = np.sort(rng.integers(0, 7, (30, 40)), axis=1)
    files["predicted, more"] = kmcodec.dumps(kmcodec.IndexedImage(stripes.palette, noise), coding="predicted")
    assert all(files[name][6] == kmcodec.Coding.PREDICTED for name in ("predicted", "predicted, more"))
    one = kmcodec.IndexedImage(np.zeros((1, 3), np.uint8), np.zeros((5, 5), np.uint8))
    metadata = kmcodec.Metadata(icc=b"abc" * 20, exif=b"MM", xmp=b"<x/>", text=(("a", "b"), ("c", "")))
    files["metadata"] = kmcodec.dumps(kmcodec.IndexedImage(one.palette, one.labels, metadata))
    files["K1"] = kmcodec.dumps(one)
    return files


FILES = small_files()


@pytest.fixture(params=FILES, ids=str)
def data(request: pytest.FixtureRequest) -> bytes:
    return FILES[request.param]


def test_every_flipped_bit_is_found(data: bytes) -> None:
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(DecodeError):
            kmcodec.loads(damaged)


def test_every_truncation_is_found(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(TruncatedError if length > 4 else DecodeError):
            kmcodec.loads(data[:length])


@given(extra=st.binary(min_size=1, max_size=3))
def test_everything_appended_is_found(extra: bytes) -> None:
    for data in FILES.values():
        with pytest.raises(FormatError, match="after the end of the picture"):
            kmcodec.loads(data + extra)


@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_picture(data: bytes) -> None:
    with pytest.raises(DecodeError):
        kmcodec.decode(data)
    with pytest.raises(DecodeError):
        kmcodec.decode(b"\x89KMC\x01" + data)


@given(
    name=st.sampled_from(sorted(FILES)),
    edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_edited_files_with_a_repaired_header_check_raise_only_decode_errors(
    name: str, edits: list[tuple[int, int]]
) -> None:
    header_length = len(kmcodec.KmcFile(BytesIO(FILES[name])).header.encoded)
    header, rest = bytearray(FILES[name][: header_length - 4]), FILES[name][header_length:]
    for position, value in edits:
        header[position % len(header)] = value
    repaired = bytes(header) + zlib.crc32(header).to_bytes(4, "little")
    with contextlib.suppress(DecodeError):
        kmcodec.loads(repaired + rest)


def cost_of(data: bytes, error: type[DecodeError]) -> tuple[float, int]:
    """Seconds and bytes that refusing some data takes."""
    tracemalloc.start()
    try:
        start = time.perf_counter()
        with pytest.raises(error):
            kmcodec.decode(data)
        return time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_tiny_file_that_claims_a_vast_picture_is_refused_at_once() -> None:
    side = leb128(60_000)
    header = header_bytes(width=side, height=side, strip_height=side)
    seconds, peak = cost_of(header + strip(b"\x00", header), LimitError)
    assert len(header) < 60
    assert seconds < 0.1
    assert peak < 1_000_000


@pytest.mark.parametrize("claim", [1 << 33, 1 << 40, (1 << 64) - 2])
def test_a_frame_that_claims_gigabytes_is_refused_at_once(claim: int) -> None:
    frame = zstandard.ZstdCompressor(level=1).compress(bytes(1 << 20))[4:]
    assert frame[0] == 0x80  # a window descriptor, and the content size in four bytes
    bomb = bytes([0xE0]) + claim.to_bytes(8, "little") + frame[6:]
    header = header_bytes(
        width=leb128(4096), height=leb128(4096), strip_height=leb128(4096), strips=leb128(len(bomb) + 4)
    )
    seconds, peak = cost_of(header + strip(bomb, header), FormatError)
    assert seconds < 0.1
    assert peak < 1_000_000


def test_a_frame_that_holds_more_than_it_claims_is_refused() -> None:
    frame = bytearray(zstandard.ZstdCompressor(level=1).compress(bytes(1 << 20))[4:])
    frame[2:6] = (2048).to_bytes(4, "little")
    header = header_bytes(
        width=leb128(128), height=leb128(128), strip_height=leb128(128), strips=leb128(len(frame) + 4)
    )
    seconds, peak = cost_of(header + strip(bytes(frame), header), FormatError)
    assert seconds < 0.1
    assert peak < 1_000_000


def test_a_header_that_claims_more_strips_than_bytes_is_refused_at_once() -> None:
    header = header_bytes(width=leb128(1 << 14), height=leb128(1 << 14), strip_height=b"\x01")
    seconds, peak = cost_of(header, TruncatedError)
    assert seconds < 0.1
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "field",
    [
        {"flags": b"\x02", "metadata": leb128(1_000_000) + b"\x01\x00\x00" * 1_000_000},
        {"palette": leb128(50_000_000) + bytes(50_000_000)},
        {"flags": b"\x02", "metadata": b"\x01\x01\x05" + leb128(50_000_000) + bytes(50_000_000)},
    ],
    ids=["items of metadata", "palette", "item of metadata"],
)
def test_a_long_header_is_refused_before_it_is_read(field: dict[str, bytes]) -> None:
    seconds, peak = cost_of(header_bytes(**field), FormatError)
    assert seconds < 0.1
    assert peak < 1_000_000


def test_a_file_that_shrinks_while_it_is_open_is_truncated(tmp_path: Path, icon: kmcodec.IndexedImage) -> None:
    path = tmp_path / "shrinking.kmc"
    data = kmcodec.dumps(icon)
    path.write_bytes(data)
    with kmcodec.open(path) as file:
        path.write_bytes(data[:-1])
        with pytest.raises(TruncatedError, match="the file ends after"):
            file.read()
