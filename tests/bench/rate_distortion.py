"""
Size against quality, and against what others need for the same: curves and Bjøntegaard's delta rates.

    python tests/bench/rate_distortion.py FOLDER... [-e 5] [--qualities 1,9,...] [--no-ssim]

On every picture:

    quality     kmcodec along --quality, from 8 colours to 256
    nearest     kmcodec with nearest labels, K = 8, 16, ... 256
    pngquant    pngquant --nofs --speed 1, K = 8, 16, ... 256, then oxipng level 6 (pyoxipng)
    webp-pq     the pixels of pngquant as lossless WebP
    webp, jpeg  lossy, for orientation; they transform, and are ahead on photos

A rate of -50 % says that half the bytes do for the same PSNR (or SSIM, with scikit-image), on average over the range
that both curves reach. Means are of rates, by folder. A peer that is not found is named and left out.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import kmcodec
from kmcodec.measure import bd_rate
from kmcodec.metrics import psnr_db
from kmcodec.quantizer import Options
from kmcodec.rate_distortion.reduce import Reducer

Pixels = np.ndarray
Point = tuple[float, float, float]
"""Bytes, PSNR in decibels, SSIM or nan."""

COLORS = (8, 16, 32, 64, 128, 256)
PAIRS = (
    ("quality", "pngquant"),
    ("quality", "nearest"),
    ("quality", "webp-pq"),
    ("nearest", "pngquant"),
    ("quality", "webp"),
    ("quality", "jpeg"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-e", "--effort", type=int, default=5)
    parser.add_argument("--qualities", default="1,12,23,34,45,56,67,79")
    parser.add_argument("--no-ssim", action="store_true")
    options = parser.parse_args()
    qualities = [float(quality) for quality in options.qualities.split(",")]
    ssim = None if options.no_ssim else similarity()
    if shutil.which("pngquant") is None or oxipng() is None:
        print("pngquant or pyoxipng: not found, left out")
    rates: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for folder in options.folders:
        for path in sorted(folder.glob("*.png")):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            curves = {name: curve(pixels, files, ssim) for name, files in codecs(pixels, qualities, options.effort)}
            for ours, theirs in PAIRS:
                if theirs not in curves:
                    continue
                for metric, column in (("PSNR", 1), ("SSIM", 2)):
                    rate = rate_between(curves[ours], curves[theirs], column)
                    if not math.isnan(rate):
                        rates[folder.name, ours, theirs, metric].append(rate)
                        print(
                            f"{path.stem:14} {ours:8} against {theirs:8} {rate:+6.1f} % at equal {metric}", flush=True
                        )
    for (name, ours, theirs, metric), values in rates.items():
        mean = sum(values) / len(values)
        print(f"{name:10} {ours:8} against {theirs:8} {mean:+6.1f} % at equal {metric}, mean of {len(values)}")


def codecs(pixels: Pixels, qualities: list[float], effort: int) -> Iterator[tuple[str, Iterator[tuple[int, Pixels]]]]:
    """Of every codec the bytes and pixels of its files."""
    yield "quality", along_quality(pixels, qualities, effort)
    yield "nearest", nearest(pixels, effort)
    if shutil.which("pngquant") and oxipng() is not None:
        yield "pngquant", pngquant(pixels)
        yield "webp-pq", webp_of_pngquant(pixels)
    yield "webp", lossy(pixels, "WEBP", (5, 20, 40, 60, 80, 90, 95), method=6)
    yield "jpeg", lossy(pixels, "JPEG", (5, 15, 30, 50, 70, 85, 93), optimize=True, progressive=True)


def along_quality(pixels: Pixels, qualities: list[float], effort: int) -> Iterator[tuple[int, Pixels]]:
    reducer = Reducer(pixels, Options(), effort=effort, threads=None)
    for quality in qualities:
        image = reducer.at_quality(quality)
        yield len(kmcodec.dumps(image, effort=effort)), image.to_pixels()


def nearest(pixels: Pixels, effort: int) -> Iterator[tuple[int, Pixels]]:
    for colors in COLORS:
        image = kmcodec.quantize(pixels, colors)
        yield len(kmcodec.dumps(image, effort=effort)), image.to_pixels()


def pngquant_files(pixels: Pixels) -> Iterator[bytes]:
    png = saved(pixels, "PNG")
    for colors in COLORS:
        command = ["pngquant", "--nofs", "--speed", "1", str(colors), "-"]
        yield subprocess.run(command, input=png, capture_output=True, check=True).stdout


def pngquant(pixels: Pixels) -> Iterator[tuple[int, Pixels]]:
    optimise = oxipng()
    assert optimise is not None
    for png in pngquant_files(pixels):
        yield len(optimise(png, level=6)), opened(png)


def webp_of_pngquant(pixels: Pixels) -> Iterator[tuple[int, Pixels]]:
    for png in pngquant_files(pixels):
        decoded = opened(png)
        yield len(saved(decoded, "WEBP", lossless=True, quality=100, method=6)), decoded


def lossy(pixels: Pixels, name: str, qualities: tuple[int, ...], **options: object) -> Iterator[tuple[int, Pixels]]:
    for quality in qualities:
        data = saved(pixels, name, quality=quality, **options)
        yield len(data), opened(data)


def curve(
    pixels: Pixels, files: Iterator[tuple[int, Pixels]], ssim: Callable[[Pixels, Pixels], float] | None
) -> list[Point]:
    return [
        (size, psnr_db(pixels, decoded), math.nan if ssim is None else ssim(pixels, decoded)) for size, decoded in files
    ]


def rate_between(ours: list[Point], theirs: list[Point], column: int) -> float:
    """Percent; nan where the curves do not share a range, as of pictures that soon have all their colours."""
    try:
        return bd_rate([(point[0], point[column]) for point in ours], [(point[0], point[column]) for point in theirs])
    except ValueError:
        return math.nan


def similarity() -> Callable[[Pixels, Pixels], float] | None:
    try:
        from skimage.metrics import structural_similarity
    except ImportError:
        print("scikit-image: not installed, no SSIM")
        return None
    return lambda a, b: float(structural_similarity(a, b, channel_axis=2))


def oxipng() -> Callable[..., bytes] | None:
    try:
        from oxipng import optimize_from_memory
    except ImportError:
        return None
    return optimize_from_memory


def saved(pixels: Pixels, name: str, **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, name, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Pixels:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s")
