"""
Peak memory and time of a very large picture, in both codings: encode, decode and 100 rows, each in its own process.

    python tests/bench/memory.py [--megapixels 100] [-k 256]

The picture is made up: gradients, noise and shapes, with more than a hundred thousand colours.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import kmcodec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=int, default=100)
    parser.add_argument("-k", type=int, default=256)
    parser.add_argument("--coding", choices=CODINGS)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--path", type=Path)
    options = parser.parse_args()
    if options.step:
        STEPS[options.step](options.path, options.megapixels, options.k, options.coding)
        return
    with tempfile.TemporaryDirectory() as folder:
        for coding in CODINGS:
            path = Path(folder) / f"{coding}.kmc"
            print(f"{coding}:")
            for step in STEPS:
                command = [sys.executable, __file__, "--step", step, "--path", str(path), "--coding", coding]
                subprocess.run([*command, "--megapixels", str(options.megapixels), "-k", str(options.k)], check=True)
            print(f"file       {path.stat().st_size:9} bytes")


def encode(path: Path, megapixels: int, k: int, coding: str) -> None:
    pixels = large_picture(megapixels)
    report("encode", lambda: kmcodec.write(path, pixels, k, coding=coding))


def decode(path: Path, *_: object) -> None:
    report("decode", lambda: kmcodec.read(path))


def rows(path: Path, *_: object) -> None:
    def read() -> None:
        with kmcodec.open(path) as file:
            middle = file.header.height // 2
            file.read_rows(middle, middle + 100)

    report("100 rows", read)


def report(name: str, work: Callable[[], object]) -> None:
    kmcodec.decode(kmcodec.encode(np.zeros((1, 1, 3), np.uint8)))  # so that nothing is imported in the time
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:10} {1e3 * seconds:9.0f} ms   peak {peak:6.0f} MB, the interpreter and NumPy included", flush=True)


def large_picture(megapixels: int) -> np.ndarray:
    side = int((megapixels * 1_000_000) ** 0.5)
    pixels = np.empty((side, side, 3), np.uint8)
    rng = np.random.default_rng(0)
    columns = np.arange(side)
    for row in range(side):
        noise = rng.integers(0, 16, side)
        pixels[row, :, 0] = (columns * 255 // side + noise) % 256
        pixels[row, :, 1] = (row * 255 // side + noise // 2) % 256
        pixels[row, :, 2] = (columns // 300 * 40 + row // 200 * 25) % 256
    return pixels


CODINGS = ("plain", "predicted")
STEPS = {"encode": encode, "decode": decode, "rows": rows}

if __name__ == "__main__":
    main()
