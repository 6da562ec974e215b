"""
The quantiser against its peers, side by side in one run: error and time of reducing every picture of a folder.

    python tests/bench/quantiser.py FOLDER [-k 16,64,256] [--repeat 3]

Every contestant starts from the pixels in memory and ends with a palette and a label for every pixel; none dithers.
scikit-learn clusters weighted unique colours from one k-means++ start, unique colours found by the same code as
kmcodec's. Errors are mean squared errors a channel, times the least of the repetitions; both are means over pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import kmcodec
from kmcodec.quantizer import histogram, label_pixels

Contestant = Callable[[Image.Image, np.ndarray, int], np.ndarray]
"""PIL image, its pixels, K → decoded pixels."""


def kmcodec_quantize(_: Image.Image, pixels: np.ndarray, k: int) -> Callable[[], np.ndarray]:
    return kmcodec.quantize(pixels, k).to_pixels


def pillow(image: Image.Image, _: np.ndarray, k: int, kmeans: int = 0) -> Callable[[], np.ndarray]:
    quantized = image.quantize(k, kmeans=kmeans, dither=Image.Dither.NONE)
    return lambda: np.asarray(quantized.convert("RGB"))


def pillow_kmeans(image: Image.Image, pixels: np.ndarray, k: int) -> Callable[[], np.ndarray]:
    return pillow(image, pixels, k, kmeans=1)


def scikit_learn(_: Image.Image, pixels: np.ndarray, k: int) -> Callable[[], np.ndarray]:
    from sklearn.cluster import KMeans

    colors = histogram(pixels)
    model = KMeans(min(k, len(colors)), n_init=1, random_state=0).fit(colors.colors, sample_weight=colors.counts)
    palette = np.rint(model.cluster_centers_).astype(np.uint8)
    labels = label_pixels(pixels, palette, colors)
    return lambda: palette[labels]


def imagequant(image: Image.Image, _: np.ndarray, k: int) -> Callable[[], np.ndarray]:
    import imagequant as library

    quantized = library.quantize_pil_image(image.convert("RGBA"), dithering_level=0, max_colors=k)
    return lambda: np.asarray(quantized.convert("RGB"))


CONTESTANTS = {
    "kmcodec": (kmcodec_quantize, None),
    "scikit-learn": (scikit_learn, "sklearn"),
    "Pillow": (pillow, None),
    "Pillow kmeans=1": (pillow_kmeans, None),
    "imagequant": (imagequant, "imagequant"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-k", type=lambda text: [int(k) for k in text.split(",")], default=[16, 64, 256])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    images = [Image.open(path).convert("RGB") for path in sorted(options.folder.glob("*.png"))]
    if not images:
        parser.error(f"no PNG in {options.folder}")
    contestants = {name: run for name, (run, module) in CONTESTANTS.items() if found(name, module)}
    print(f"{len(images)} pictures of {options.folder}")
    print(f"{'K':>5} {'quantiser':16} {'MSE':>8} {'/ kmcodec':>10} {'seconds':>8} {'/ kmcodec':>10}")
    for k in options.k:
        results = {name: mean_result(run, images, k, options.repeat) for name, run in contestants.items()}
        own_error, own_seconds = results["kmcodec"]
        for name, (error, seconds) in results.items():
            ratios = (error / own_error if own_error else 1, seconds / own_seconds)
            print(f"{k:5} {name:16} {error:8.2f} {ratios[0]:10.3f} {seconds:8.3f} {ratios[1]:10.1f}")


def found(name: str, module: str | None) -> bool:
    try:
        __import__(module or "PIL")
    except ImportError:
        print(f"{name}: not installed, left out")
        return False
    return True


def mean_result(run: Contestant, images: list[Image.Image], k: int, repeat: int) -> tuple[float, float]:
    errors, times = [], []
    for image in images:
        pixels = np.asarray(image)
        best = float("inf")
        for _ in range(repeat):
            start = time.perf_counter()
            decoded = run(image, pixels, k)
            best = min(best, time.perf_counter() - start)
        errors.append(float(np.square(decoded().astype(np.int32) - pixels).mean()))
        times.append(best)
    return float(np.mean(errors)), float(np.mean(times))


if __name__ == "__main__":
    main()
