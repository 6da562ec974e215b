"""
Label coding against its peers on identical indexed pixels: bytes, encode and decode time.

    python tests/bench/labels.py FOLDER... [-k 16,64,256] [-e 5] [--repeat 5] [--no-times]

Every picture is reduced to K colours by kmcodec; then each codec stores the same pixels:

    plain, predicted    whole .kmc files
    PNG-8               Pillow, optimize=True
    oxipng              the same after oxipng level 6 (pyoxipng)
    WebP                lossless, quality 100, method 6 (Pillow)
    JPEG XL             cjxl -d 0 -e 9

Times are of one thread, in this process, the least of the repetitions; cjxl and djxl tell their own, without process
start and file access. Ratios are to the codec named first in a column's heading; means are geometric, by folder and K.
A peer that is not found is named and left out.
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import kmcodec
from kmcodec.images import save_image

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[16, 64, 256])
    parser.add_argument("-e", "--effort", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--no-times", action="store_true")
    options = parser.parse_args()
    report_missing_peers()
    rows: dict[tuple[str, int], list[Figures]] = defaultdict(list)
    for folder in options.folders:
        for path in sorted(folder.glob("*.png")):
            for k in options.k:
                figures = measure(path, k, options.effort, 1 if options.no_times else options.repeat)
                rows[folder.name, k].append(figures)
                print(
                    f"{path.stem:14} {k:5} " + " ".join(f"{name} {value:.0f}" for name, value in figures.items()),
                    flush=True,
                )
    print_means(rows)
    everything = [figures for group in rows.values() for figures in group]
    for peer in ("webp", "jxl"):
        compared = [figures for figures in everything if peer in figures]
        wins = sum(figures["predicted"] < figures[peer] for figures in compared)
        print(f"smaller than {peer} on {wins} of {len(compared)} maps")


def report_missing_peers() -> None:
    for name in ("cjxl", "djxl"):
        if shutil.which(name) is None:
            print(f"{name}: not found, left out")
    if oxipng() is None:
        print("pyoxipng: not installed, left out")


def measure(path: Path, k: int, effort: int, repeat: int) -> Figures:
    """Bytes by codec, and nanoseconds a pixel of encoding (…_enc) and decoding (…_dec)."""
    image = kmcodec.quantize(Image.open(path).convert("RGB"), k)
    rgb = Image.fromarray(image.to_pixels())
    pixels = image.labels.size
    figures: Figures = {}
    decoders: dict[str, Callable[[], object]] = {}
    for coding in ("plain", "predicted"):
        start = time.perf_counter()
        data = kmcodec.dumps(image, coding=coding, effort=effort, threads=1)
        figures[coding], figures[f"{coding}_enc"] = len(data), 1e9 * (time.perf_counter() - start) / pixels
        assert (kmcodec.loads(data).labels == image.labels).all()
        decoders[coding] = lambda data=data: kmcodec.decode(data, threads=1)
    png = save_image(image, ".png")
    figures["png"] = len(png)
    decoders["png"] = lambda: np.asarray(Image.open(BytesIO(png)).convert("RGB"))
    if (optimise := oxipng()) is not None:
        figures["oxipng"] = len(optimise(png, level=6))
    webp = BytesIO()
    start = time.perf_counter()
    rgb.save(webp, "WEBP", lossless=True, quality=100, method=6)
    figures["webp"], figures["webp_enc"] = webp.tell(), 1e9 * (time.perf_counter() - start) / pixels
    decoders["webp"] = lambda: np.asarray(Image.open(BytesIO(webp.getvalue())))
    with tempfile.TemporaryDirectory() as folder:
        jxl = Path(folder) / "image.jxl"
        if shutil.which("cjxl"):
            (Path(folder) / "image.png").write_bytes(png)
            said = run("cjxl", f"{folder}/image.png", jxl, "-d", "0", "-e", "9", "--num_threads=1")
            figures["jxl"], figures["jxl_enc"] = jxl.stat().st_size, ns_per_pixel(said)
        best = dict.fromkeys(decoders, math.inf)
        best_jxl = math.inf
        for _ in range(repeat):
            for name, decode in decoders.items():
                start = time.perf_counter()
                decode()
                best[name] = min(best[name], time.perf_counter() - start)
            if jxl.exists() and shutil.which("djxl"):
                said = run("djxl", jxl, f"{folder}/image.ppm", "--num_threads=1", "--num_reps=3")
                best_jxl = min(best_jxl, ns_per_pixel(said))
    figures |= {f"{name}_dec": 1e9 * seconds / pixels for name, seconds in best.items()}
    return figures | ({"jxl_dec": best_jxl} if best_jxl < math.inf else {})


def oxipng() -> Callable[..., bytes] | None:
    try:
        from oxipng import optimize_from_memory
    except ImportError:
        return None
    return optimize_from_memory


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def ns_per_pixel(said: str) -> float:
    """From the fastest repetition that cjxl or djxl tells of."""
    speeds = re.findall(r"\[([\d.]+), ([\d.]+)\]", said) or re.findall(r"(([\d.]+)) MP/s", said)
    return 1e3 / float(speeds[-1][1])


def print_means(rows: dict[tuple[str, int], list[Figures]]) -> None:
    columns = {
        "plain/oxipng": ("plain", "oxipng"),
        "predicted/oxipng": ("predicted", "oxipng"),
        "webp/oxipng": ("webp", "oxipng"),
        "jxl/oxipng": ("jxl", "oxipng"),
        "encode/cjxl": ("predicted_enc", "jxl_enc"),
        "decode/djxl": ("predicted_dec", "jxl_dec"),
        "decode ns/px": ("predicted_dec", None),
    }
    print(f"{'folder':10} {'K':>5} {'n':>3} " + " ".join(f"{heading:>16}" for heading in columns))
    for (folder, k), group in rows.items():
        cells = []
        for top, bottom in columns.values():
            ratios = [f[top] / (f[bottom] if bottom else 1) for f in group if top in f and (bottom or top) in f]
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan
            cells.append(f"{mean:16.3f}")
        print(f"{folder:10} {k:5} {len(group):3} " + " ".join(cells))


if __name__ == "__main__":
    main()
