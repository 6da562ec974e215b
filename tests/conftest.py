"""Pictures and files that many tests use."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import kmcodec
from kmcodec.format import strips

settings.register_profile("kmcodec", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("kmcodec")

SAMPLES = sorted(path.name for path in files("kmcodec.samples").iterdir() if path.name.endswith(".png"))


@pytest.fixture(scope="session", params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> np.ndarray:
    """Each sample picture, RGB."""
    return sample_pixels(request.param)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A photograph, 256 × 256 RGB, with thousands of colours."""
    return sample_pixels("flowers.png")


@pytest.fixture(scope="session")
def photo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photograph as a PNG."""
    path = tmp_path_factory.mktemp("pictures") / "photo.png"
    path.write_bytes(files("kmcodec.samples").joinpath("flowers.png").read_bytes())
    return path


@pytest.fixture(scope="session")
def icon() -> kmcodec.IndexedImage:
    """A small picture of 5 colours, transparent ones among them, with metadata."""
    rng = np.random.default_rng(5)
    return kmcodec.IndexedImage(
        rng.integers(0, 256, (5, 4), np.uint8),
        rng.integers(0, 5, (9, 7), np.uint8),
        kmcodec.Metadata(icc=b"profile", text=(("Author", "nobody"),)),
    )


@pytest.fixture
def striped(monkeypatch: pytest.MonkeyPatch) -> kmcodec.IndexedImage:
    """A picture of four strips, the last of them shorter; strips are smaller than usual, to save time."""
    monkeypatch.setattr(strips, "MOST_STRIP_PIXELS", 1 << 18)
    rng = np.random.default_rng(6)
    rows, columns = np.mgrid[0:1501, 0:503]
    labels = (rows // 100 + columns // 90 + rng.integers(0, 2, rows.shape)) % 19
    return kmcodec.IndexedImage(rng.integers(0, 256, (19, 3), np.uint8), labels)


def sample_pixels(name: str) -> np.ndarray:
    with files("kmcodec.samples").joinpath(name).open("rb") as file:
        return np.asarray(Image.open(file).convert("RGB"))
