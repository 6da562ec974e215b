"""
Plain decoding against Pillow's of the PNG-8 of the same pixels, in one process and one thread, part by part.

    python tests/bench/decode.py FOLDER [-k 16,64,256] [--repeat 15]

Both end with an RGB array. Times are the least of the repetitions, contestants taking turns; ratios are geometric
means over pictures. "copy" is a copy of the RGB array: no decoder can be faster.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import kmcodec
from kmcodec.expand import expand_labels
from kmcodec.images import save_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[16, 64, 256])
    parser.add_argument("--repeat", type=int, default=15)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.png"))
    if not paths:
        parser.error(f"no PNG in {options.folder}")
    print(
        f"{'K':>5} {'picture':14} {'PNG-8':>8} {'.kmc':>8} {'labels':>8} {'colours':>8} {'copy':>8}   ms; PNG-8 / .kmc"
    )
    for k in options.k:
        ratios = [measure(path, k, options.repeat) for path in paths]
        print(f"{k:5} {'geometric mean':58} {math.exp(sum(map(math.log, ratios)) / len(ratios)):12.2f}")


def measure(path: Path, k: int, repeat: int) -> float:
    indexed = kmcodec.quantize(Image.open(path).convert("RGB"), k)
    png, kmc = save_image(indexed, ".png"), kmcodec.dumps(indexed, coding="plain")
    pixels = indexed.to_pixels()
    assert (decode_png(png) == pixels).all()
    assert (kmcodec.decode(kmc) == pixels).all()
    parts: dict[str, Callable[[], object]] = {
        "png": lambda: decode_png(png),
        "kmc": lambda: kmcodec.decode(kmc, threads=1),
        "labels": lambda: kmcodec.KmcFile(BytesIO(kmc), threads=1).labels(),
        "colours": lambda: expand_labels(indexed.palette, indexed.labels),
        "copy": pixels.copy,
    }
    best = dict.fromkeys(parts, math.inf)
    for _ in range(repeat):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            best[name] = min(best[name], time.perf_counter() - start)
    times = " ".join(f"{1e3 * seconds:8.2f}" for seconds in best.values())
    ratio = best["png"] / best["kmc"]
    print(f"{k:5} {path.stem[:14]:14} {times} {ratio:12.2f}")
    return ratio


def decode_png(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


if __name__ == "__main__":
    main()
