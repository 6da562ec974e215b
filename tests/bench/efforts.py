"""
What each effort costs and gains: bytes, encode and decode time, relative to effort 5.

    python tests/bench/efforts.py FOLDER... [-k 16,256] [--repeat 3]

Pictures are reduced to K colours first; times are of coding alone, in one thread, efforts taking turns, the least of
the repetitions. Figures are geometric means over pictures and K.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from pathlib import Path

from PIL import Image

import kmcodec

EFFORTS = range(1, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[16, 256])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    logs: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    for path in sorted(path for folder in options.folders for path in folder.glob("*.png")):
        for k in options.k:
            for effort, figures in measure(path, k, options.repeat).items():
                logs[effort].append(tuple(map(math.log, figures)))
    means = {
        effort: [math.exp(sum(column) / len(column)) for column in zip(*rows, strict=True)]
        for effort, rows in logs.items()
    }
    print("effort   bytes  encode  decode   encode ns/px  decode ns/px")
    for effort, (size, encode, decode) in means.items():
        base = means[5]
        ratios = f"{size / base[0]:7.3f} {encode / base[1]:7.2f} {decode / base[2]:7.2f}"
        print(f"{effort:6} {ratios} {encode:14.0f} {decode:13.1f}")


def measure(path: Path, k: int, repeat: int) -> dict[int, tuple[float, float, float]]:
    """Bytes, and nanoseconds a pixel of encoding and of decoding, by effort."""
    image = kmcodec.quantize(Image.open(path).convert("RGB"), k)
    files: dict[int, bytes] = {}
    encode = dict.fromkeys(EFFORTS, math.inf)
    decode = dict.fromkeys(EFFORTS, math.inf)
    for _ in range(repeat):
        for effort in EFFORTS:
            start = time.perf_counter()
            files[effort] = kmcodec.dumps(image, effort=effort, threads=1)
            encoded = time.perf_counter()
            kmcodec.decode(files[effort], threads=1)
            encode[effort] = min(encode[effort], encoded - start)
            decode[effort] = min(decode[effort], time.perf_counter() - encoded)
    scale = 1e9 / image.labels.size
    return {effort: (len(files[effort]), scale * encode[effort], scale * decode[effort]) for effort in EFFORTS}


if __name__ == "__main__":
    main()
