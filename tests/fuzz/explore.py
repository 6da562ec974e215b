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
    from kmcodec.pillow_plugin import KmcImageFile
    from tests.fuzz.checks import without_checks
    from tests.fuzz.seeds import seeds

from PIL import Image

from kmcodec.limits import Limits

LIMITS = Limits(pixels=1 << 14, file_bytes=1 << 20, metadata_bytes=1 << 18)
"""Small, so that many files are tried."""

_SECONDS = 60
"""After which a file hangs. Sanitizers slow decoding down tenfold; `mutated` holds it to two seconds without them."""


def main() -> None:
    KmcImageFile.limits = LIMITS
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            (Path(corpus) / f"{number:03}").write_bytes(seed.data)
        atheris.Setup([*sys.argv, f"-timeout={_SECONDS}", "-rss_limit_mb=1000", "-max_len=4096", corpus], decode)
        atheris.Fuzz()


def decode(data: bytes) -> None:
    """All ways to decode a file."""
    _decode(data)
    with without_checks():
        _decode(data)


def _decode(data: bytes) -> None:
    for way in (_whole, _by_rows, _by_pillow):
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
