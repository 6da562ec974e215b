"""
How much time a folder takes with two jobs, with one, and file by file.

    python tests/bench/batch.py [--files 1000] [--singles 100] [--rounds 2] [-k 256] [FOLDER...]

Pictures are 64 × 64 pixels, cut out of those in the folders, or of the samples that come with kmcodec. Each round
runs all three in turn, so that what else the machine does is shared among them; of the single commands a part is run,
and their time scaled up. The machine should be idle: where others work, Linux gives two processes of one session no
more than one of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of many small pictures")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--singles", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("-k", "--colors", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kmcodec-bench-") as name:
        folder = Path(name)
        pictures = make_pictures(options.folders, options.files, folder / "pictures")
        print(f"{len(pictures)} pictures of {SIDE} x {SIDE} pixels, K {options.colors}; seconds")
        print("round   1 job  2 jobs  ratio  single commands  ratio to 1 job, 2 jobs")
        for number in range(1, options.rounds + 1):
            encode = ["encode", "-k", str(options.colors), "--quiet", "--overwrite"]
            one, two = (
                seconds_of([*encode, str(folder / "pictures"), "-d", str(folder / f"out{jobs}"), "-j", str(jobs)])
                for jobs in (1, 2)
            )
            chosen = pictures[:: max(1, len(pictures) // options.singles)]
            singles = sum(seconds_of([*encode, str(picture), "-d", str(folder / "out")]) for picture in chosen)
            singles *= len(pictures) / len(chosen)
            print(f"{number:5} {one:7.1f} {two:7.1f} {one / two:6.2f} {singles:16.0f}", end="")
            print(f"{singles / one:15.1f} {singles / two:7.1f}")


def make_pictures(folders: Sequence[Path], count: int, target: Path) -> list[Path]:
    """Cut pictures out of others, each in its turn."""
    target.mkdir()
    rng = np.random.default_rng(0)
    sources = [load(path) for folder in folders for path in sorted(folder.glob("*.png"))] or samples()
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        left, top = rng.integers(0, source.width - SIDE), rng.integers(0, source.height - SIDE)
        made.append(target / f"{number:04}.png")
        source.crop((left, top, left + SIDE, top + SIDE)).save(made[-1])
    return made


def samples() -> list[Image.Image]:
    with as_file(files("kmcodec.samples")) as folder:
        return [load(path) for path in sorted(folder.glob("*.png"))]


def load(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def seconds_of(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "kmcodec", *arguments], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
