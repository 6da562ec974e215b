"""The folder spec/ for tests: its manifest, its programs as modules, and random files to compare decoders by."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import kmcodec

SPEC = Path(__file__).parent.parent / "spec"
VECTORS = SPEC / "vectors"
DOCUMENT = SPEC / "kmc.md"


def load(path: Path) -> ModuleType:
    """A program of spec/ as a module, without running it."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module  # dataclasses look there
    specification.loader.exec_module(module)
    return module


reference_decoder = load(SPEC / "reference_decoder.py")


def manifest() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8"))
    return found


def vector(entry: dict[str, Any]) -> bytes:
    """The bytes of a vector: those that are invalid have an error."""
    return (VECTORS / ("invalid" if "error" in entry else "valid") / f"{entry['name']}.kmc").read_bytes()


def random_file(seed: int) -> tuple[kmcodec.IndexedImage, bytes]:
    """A small picture of any number of colours, smooth, blocky or noisy, and the file that kmcodec makes of it."""
    rng = random.Random(seed)
    colors = rng.choice((1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 64, 65, 100, 128, 256, 257, 600, 1500, 5000, 20000, 65536))
    height, width = rng.randint(1, 20), rng.randint(1, 20)
    numbers = np.random.default_rng(seed)
    labels = numbers.integers(0, colors, (height, width))
    kind = rng.choice(("noise", "blocks", "walk", "specks"))
    if kind == "blocks":
        labels = np.repeat(np.repeat(labels, 4, axis=0), 3, axis=1)[:height, :width]
    elif kind == "walk":
        labels = (np.cumsum(numbers.integers(-1, 2, (height, width)), axis=1) + labels[:, :1] // 9) % colors
    elif kind == "specks":
        labels[numbers.random((height, width)) < 0.9] = labels[0, 0]
    palette = numbers.integers(0, 256, (colors, rng.choice((3, 4))), np.uint8)
    metadata = kmcodec.Metadata(icc=bytes(seed % 99), text=(("seed", str(seed)),) if seed % 2 else ())
    image = kmcodec.IndexedImage(palette, labels, metadata)
    coding = rng.choice(("plain", "predicted", "predicted"))
    return image, kmcodec.dumps(image, coding=coding, effort=rng.choice((1, 5, 9)))
