"""
Let libFuzzer look for files that do more than raise DecodeError, guided by what code they reach.

    python -m tests.fuzz.explore [-max_total_time=SECONDS] [other options of libFuzzer] [CORPUS...]

Every file is decoded whole, by rows, and through Pillow, once as it is and once as if every checksum fitted. One that
breaks a rule is written to the current folder, as crash-….
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["kmcodec"]):  # whatever decoding imports, it imports here
    import kmcodec
    from kmcodec.errors import DecodeError
    from tests.fuzz.checks import without_checks
    from tests.fuzz.seeds import LIMITS, seeds

from PIL import Image


def main() -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            (Path(corpus) / f"{number:03}").write_bytes(seed.data)
        atheris.Setup([*sys.argv, "-timeout=2", "-rss_limit_mb=600", "-max_len=4096", corpus], decode)
        atheris.Fuzz()


def decode(data: bytes) -> None:
    """All ways to decode a file."""
    _decode(data)
    with without_checks():
        _decode(data)


def _decode(data: bytes) -> None:
    for way in (_whole, _by_rows):
        with suppress(DecodeError):
            way(data)


def _whole(data: bytes) -> None:
    kmcodec.loads(data, limits=LIMITS, threads=1).to_pixels()


def _by_rows(data: bytes) -> None:
    with kmcodec.open(BytesIO(data), limits=LIMITS, threads=1) as file:
        file.read_rows(file.header.height // 2, file.header.height)


def _by_pillow(data: bytes) -> None:
    errors = (OSError, Image.DecompressionBombError)
    with suppress(errors), Image.open(BytesIO(data), formats=["KMC"]) as image:
        image.load()


if __name__ == "__main__":
    main()
