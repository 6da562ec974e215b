#!/usr/bin/env python3
"""
Writes frames.json, the frames of the vectors that have compressed blocks: `python compress.py FILE`.

Another version of zstd makes other bytes, all of them right. So this is run when a vector is added, not to check.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import zstandard

sys.path.insert(0, str(Path(__file__).parent))

import generate

ZSTD = (1, 5, 7)


def frame(name: str, data: bytes) -> bytes:
    """Stored data (section 2.5), and with a checksum, which is wrong, if the name says so."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        19,
        source_size=len(data),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=True,
        write_checksum=name == "checksum",
        write_dict_id=False,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def blocks(name: str, data: bytes) -> bytes:
    """Blocks of a stream (section 8.2), of literals only for forms 2 to 5, and with matches for the others."""
    matches = name.startswith(("form 6", "form 7"))
    parameters = zstandard.ZstdCompressionParameters(
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
        strategy=zstandard.STRATEGY_BTULTRA2 if matches else zstandard.STRATEGY_FAST,
        min_match=3 if matches else 7,
        window_log=20,
        hash_log=8,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)[2:]


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: compress.py FILE", file=sys.stderr)
        return 2
    if zstandard.ZSTD_VERSION != ZSTD:
        print(f"zstd is {zstandard.ZSTD_VERSION}, not {ZSTD}", file=sys.stderr)
        return 1
    generate.FRAMES.clear()
    list(generate.valid())
    list(generate.invalid())
    frames = {
        name: (blocks if name.startswith("form") else frame)(name, data).hex() for name, data in generate.WANTED.items()
    }
    Path(sys.argv[1]).write_text(json.dumps(frames, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
