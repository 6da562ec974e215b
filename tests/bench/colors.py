"""
The options of the quantiser side by side: what each costs and gains, as means over the pictures of folders.

    python tests/bench/colors.py FOLDER... [-k 16,64,256]

MSE is the squared error a channel, and PSNR of the mean MSE. CIEDE2000 is the mean colour difference of the pixels;
"afar" the same of means over 4 × 4 pixels, mixed as light is, which is how dithering is meant to be seen. Bytes, of the
.kmc file, and the time of quantising are relative to the first row.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

import kmcodec

VARIANTS: dict[str, dict[str, Any]] = {
    "srgb": {},
    "oklab": {"space": "oklab"},
    "srgb, floyd-steinberg": {"dither": "floyd-steinberg"},
    "oklab, floyd-steinberg": {"space": "oklab", "dither": "floyd-steinberg"},
    "srgb, ordered": {"dither": "ordered"},
    "oklab, ordered": {"space": "oklab", "dither": "ordered"},
    "srgb, rare 0.1": {"rare": 0.1},
    "srgb, rare 0.25": {"rare": 0.25},
}
AFAR = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", type=Path, nargs="+")
    parser.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[16, 64, 256])
    options = parser.parse_args()
    for folder in options.folders:
        pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
        if not pictures:
            parser.error(f"no PNG in {folder}")
        print(f"{len(pictures)} pictures of {folder}")
        print(f"{'K':>5} {'options':24} {'MSE':>8} {'PSNR':>6} {'CIEDE2000':>10} {'afar':>6} {'bytes':>6} {'time':>6}")
        for k in options.k:
            results = {name: means(pictures, k, variant) for name, variant in VARIANTS.items()}
            first = next(iter(results.values()))
            for name, (mse, seen, afar, size, seconds) in results.items():
                psnr = 10 * np.log10(255**2 / mse) if mse else float("inf")
                ratios = f"{size / first[3]:6.3f} {seconds / first[4]:6.2f}"
                print(f"{k:5} {name:24} {mse:8.2f} {psnr:6.2f} {seen:10.3f} {afar:6.3f} {ratios}", flush=True)


def means(pictures: list[np.ndarray], k: int, options: dict[str, Any]) -> np.ndarray:
    return np.mean([figures(pixels, k, options) for pixels in pictures], axis=0)


def figures(pixels: np.ndarray, k: int, options: dict[str, Any]) -> tuple[float, float, float, int, float]:
    start = time.perf_counter()
    indexed = kmcodec.quantize(pixels, k, **options)
    seconds = time.perf_counter() - start
    decoded = indexed.to_pixels()
    mse = float(np.square(decoded.astype(np.int32) - pixels).mean())
    size = len(kmcodec.dumps(indexed))
    return (
        mse,
        difference(pixels / 255, decoded / 255),
        difference(from_afar(pixels), from_afar(decoded)),
        size,
        seconds,
    )


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean())


def from_afar(pixels: np.ndarray) -> np.ndarray:
    """The means of squares, mixed as light is, back in sRGB."""
    height, width = (length // AFAR * AFAR for length in pixels.shape[:2])
    value = pixels[:height, :width] / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = light.reshape(height // AFAR, AFAR, width // AFAR, AFAR, 3).mean(axis=(1, 3))
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


if __name__ == "__main__":
    main()
