"""
Hostile files: how each is met, and what it costs in a process of its own.

    python tests/bench/attacks.py

Costs are those of decoding with the default limits, beyond what the process has when kmcodec and the file are loaded.
Where a file is valid, its pixels are the measure: bytes and nanoseconds a pixel.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import zstandard

import kmcodec
from kmcodec.format.frames import store
from kmcodec.format.leb128 import to_leb128
from kmcodec.format.prediction.parameters import ContextSet, Parameters
from kmcodec.format.prediction.streams import Form


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"{'attack':58} {'file':>9} {'seconds':>8} {'MB':>6} {'ns/px':>6} {'B/px':>5}  outcome")
    for name, make in ATTACKS.items():
        data = make()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, peak_bytes, pixels, outcome = pool.apply(attack, (data,))
        share = f"{1e9 * seconds / pixels:6.0f} {peak_bytes / pixels:5.1f}" if pixels > 1000 else f"{'':12}"
        print(f"{name:58} {len(data):9} {seconds:8.3f} {peak_bytes / 1e6:6.1f} {share}  {outcome}", flush=True)


def attack(data: bytes) -> tuple[float, int, int, str]:
    """Decode in this process: seconds, peak of additional bytes, pixels the file claims if allowed, and the outcome."""
    kmcodec.decode(kmcodec.encode(np.zeros((2, 2, 3), np.uint8)))  # everything is imported
    before = _peak_bytes()
    started = time.perf_counter()
    pixels = 0
    try:
        file = kmcodec.KmcFile(BytesIO(data))
        pixels = file.header.pixels
        file.read()
        outcome = "decodes"
    except kmcodec.DecodeError as error:
        outcome = f"{type(error).__name__}: {error}"
    return time.perf_counter() - started, _peak_bytes() - before, pixels, outcome


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _header(
    *,
    width: int,
    height: int,
    colors: int = 2,
    coding: int = 0,
    parameter: int = 1,
    strip_height: int | None = None,
    palette: bytes | None = None,
    strips: tuple[int, ...] = (),
    metadata: bytes = b"",
) -> bytes:
    stored = store(bytes(colors * 3), level=19) if palette is None else palette
    body = b"\x89KMC" + bytes([1, 2 if metadata else 0, coding, parameter])
    body += b"".join(map(to_leb128, (width, height, colors - 1, strip_height or height, len(stored))))
    body += stored + b"".join(map(to_leb128, strips)) + metadata
    return body + zlib.crc32(body).to_bytes(4, "little")


def _frame(size: int, *, claims: int | None = None) -> bytes:
    """A frame of zeros without magic number; `claims` is what its header says in place of its size."""
    options = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=True, write_checksum=False
    )
    frame = zstandard.ZstdCompressor(compression_params=options).compress(bytes(size))
    if claims is None:
        return frame
    # descriptor: four bytes of content size; then a window of 1 MiB; blocks follow
    blocks = frame[zstandard.frame_header_size(zstandard.MAGIC_NUMBER.to_bytes(4, "little") + frame) - 4 :]
    return b"\x80\x50" + claims.to_bytes(4, "little") + blocks


def _file(payload: bytes, strips: int = 1, **fields: int) -> bytes:
    """A file whose strips all have this payload. Checks of predicted strips do not fit: they come after the work."""
    header = _header(strips=(len(payload) + 4,) * strips, **fields)  # type: ignore[arg-type]
    checks = (zlib.crc32(header[-4:] + n.to_bytes(4, "little") + payload) for n in range(strips))
    return header + b"".join(payload + check.to_bytes(4, "little") for check in checks)


def _predicted(side: int, colors: int, bits: int, *, noise: bool = False, strip_height: int | None = None) -> bytes:
    """Streams of no flags at all, or of random ones, which are the slowest to decode."""
    rows = strip_height or side
    payload = bytes(8)
    if noise:
        flags = np.random.default_rng(1).bytes(side * rows * (colors - 1).bit_length() // 64)
        sizes = to_leb128(int(Form.PACKED) + 8 * len(flags)) * 7
        payload = sizes + bytes([Form.PACKED]) + flags * 8
    fields = {"width": side, "height": side, "strip_height": rows, "colors": colors}
    return _file(payload, side // rows, coding=1, parameter=int(_deep(bits)), **fields)


def _metadata(kind: int, size: int, stored: bytes) -> bytes:
    return b"\x01" + bytes([kind]) + to_leb128(size) + to_leb128(len(stored)) + stored


def _deep(bits: int) -> Parameters:
    return Parameters(ContextSet.DEEP, bits)


_ONE = {"width": 1, "height": 1, "colors": 1, "parameter": 0}

ATTACKS: dict[str, Callable[[], bytes]] = {
    "claims 4294967295 x 4294967295 pixels": lambda: _header(width=2**32 - 1, height=2**32 - 1),
    "claims 2^28 pixels in 64 strips, and ends": lambda: _header(
        width=1 << 14, height=1 << 14, strip_height=256, strips=(5,) * 64
    ),
    "claims 16384 strips, and ends": lambda: _header(width=1 << 14, height=1 << 14, strip_height=1),
    "a palette whose frame claims 4 GB": lambda: (
        _header(width=1, height=1, colors=65536, parameter=16, palette=_frame(300_000, claims=2**32 - 1), strips=(6,))
        + bytes(6)
    ),
    "a palette whose frame holds 1 GB": lambda: (
        _header(width=1, height=1, colors=65536, parameter=16, palette=_frame(1 << 30, claims=196_608), strips=(6,))
        + bytes(6)
    ),
    "metadata of 1 GB": lambda: _header(**_ONE, metadata=_metadata(1, 1 << 30, _frame(1 << 30))),
    "metadata of the 64 MB that are allowed": lambda: _header(**_ONE, metadata=_metadata(1, 1 << 26, _frame(1 << 26))),
    "metadata whose frame holds 64 times what it claims": lambda: _header(
        **_ONE, metadata=_metadata(1, 1 << 20, _frame(1 << 26, claims=1 << 20))
    ),
    "a strip whose frame claims 4 GB": lambda: _file(_frame(300_000, claims=2**32 - 1), width=3000, height=1000),
    "a strip whose frame holds 1 GB": lambda: _file(_frame(1 << 30, claims=375_000), width=3000, height=1000),
    "one pixel, tables of 2^18 lines": lambda: _predicted(1, 65536, 18),
    "one pixel, 65536 colours": lambda: _predicted(1, 65536, 8),
    "a stream of 2^32 right guesses, and no more": lambda: _file(
        bytes(7) + bytes([Form.GAPS]) + to_leb128(2**32 - 1), width=9, height=9, coding=1, parameter=int(_deep(8))
    ),
    "plain, 2^28 equal pixels": lambda: _file(_frame(1 << 17), 256, width=1 << 14, height=1 << 14, strip_height=64),
    "predicted, 2^20 equal pixels": lambda: _predicted(1 << 10, 256, 14),
    "predicted, 2^20 pixels of noise, 256 colours": lambda: _predicted(1 << 10, 256, 18, noise=True),
    "predicted, 2^20 pixels of noise, 65536 colours": lambda: _predicted(1 << 10, 65536, 18, noise=True),
    "predicted, 64 strips of 2^14 pixels, 65536 colours": lambda: _predicted(
        1 << 10, 65536, 14, noise=True, strip_height=16
    ),
}

if __name__ == "__main__":
    main()
