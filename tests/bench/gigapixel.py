"""
Peak memory and time of pictures larger than memory, as the command takes them: each step in its own process.

    python tests/bench/gigapixel.py [--gigapixels 0.25,1] [-k 64] [--formats tif,png] [--folder DIR]

The picture is 32 768 pixels wide and made up on the fly: gradients and noise, with hundreds of thousands of colours. A
gigapixel takes some 8 GB of disk, which are given back. It wants pyvips: pip install -e '.[dev]'.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WIDTH = 32_768

ROWS = """
import sys, kmcodec
with kmcodec.open(sys.argv[1], limits=kmcodec.Limits(pixels=None, file_bytes=None)) as file:
    middle = file.header.height // 2
    file.read_rows(middle, middle + 100)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigapixels", default="0.25,1")
    parser.add_argument("-k", default="64")
    parser.add_argument("--formats", default="tif,png")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--make", nargs=2, metavar=("FILE", "HEIGHT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_picture(options.make[0], int(options.make[1]))
        return
    kmcodec = [sys.executable, "-m", "kmcodec"]
    for gigapixels in options.gigapixels.split(","):
        height = round(float(gigapixels) * (1 << 30) / WIDTH)
        print(f"{WIDTH} x {height}:")
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            for ending in options.formats.split(","):
                image, encoded, decoded = (Path(folder) / f"{name}" for name in (f"a.{ending}", "a.kmc", f"b.{ending}"))
                measure(f"make {ending}", [sys.executable, __file__, "--make", str(image), str(height)], image)
                limit = ["--max-pixels", str(WIDTH * height)]
                encode = [*kmcodec, "encode", str(image), "-o", str(encoded), "-k", options.k, "--overwrite", *limit]
                measure("encode", encode, encoded)
                measure("100 rows", [sys.executable, "-c", ROWS, str(encoded)], encoded)
                measure(f"decode to {ending}", [*kmcodec, "decode", str(encoded), "-o", str(decoded), *limit], decoded)
                image.unlink()
                decoded.unlink()


def make_picture(path: str, height: int) -> None:
    import pyvips

    place = pyvips.Image.xyz(WIDTH, height)
    x, y = place[0], place[1]
    noise = pyvips.Image.gaussnoise(WIDTH, height, mean=0, sigma=2, seed=1)
    red, green, blue = x * (255 / WIDTH) + noise, y % 4096 / 16 + noise, (x + y) % 8192 / 32
    image = red.bandjoin([green, blue]).cast("uchar").copy(interpretation="srgb")
    if path.endswith("png"):
        image.write_to_file(path, compression=1, filter=0x10)
    else:
        image.write_to_file(path, bigtiff=True, compression="lzw", predictor="horizontal")


def measure(name: str, command: list[str], result: Path) -> None:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{name} failed")
    peak, size = usage.ru_maxrss / 1024, result.stat().st_size / 1e6
    print(f"  {name:14} {seconds:7.1f} s   peak {peak:5.0f} MB   file {size:9.1f} MB", flush=True)


if __name__ == "__main__":
    main()
