"""The same bytes from every process: whatever the BLAS kernels, the threads, the hash seed, the compiler."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, sys
import numpy as np
import kmcodec
from kmcodec.quantizer import dither, nearest
from tests.conftest import sample_pixels
if "numpy" in sys.argv:
    nearest._compiled = dither._compiled = None
digest = hashlib.sha256()
photo = sample_pixels("flowers.png")
for count in (2, 16, 256):
    digest.update(kmcodec.encode(photo[:128], count, effort=1))
digest.update(kmcodec.encode(photo[:100, :100], 700, effort=1))
alpha = np.add.outer(np.arange(256), np.arange(256)).clip(0, 255).astype(np.uint8)
digest.update(kmcodec.encode(np.dstack([photo, alpha])[:128], 64, effort=1))
for part in (photo[:64, :96], np.dstack([photo, alpha])[90:154, 90:186]):
    for space in ("srgb", "oklab"):
        for name in ("none", "floyd-steinberg", "ordered"):
            options = {"space": space, "dither": name, "keep": ["#e41a1c"], "rare": 0.2}
            digest.update(kmcodec.encode(part, 40, effort=1, **options))
for options in ({"rdo": 60.0}, {"quality": 45, "space": "oklab"}, {"psnr_db": 29.0}):
    digest.update(kmcodec.encode(np.dstack([photo, alpha])[90:154, 90:186], **options))
print(digest.hexdigest())
"""

ENVIRONMENTS = {
    "Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
    "Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge"},
    "Prescott": {"OPENBLAS_CORETYPE": "Prescott"},
    "one thread": {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    "two threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    "no vector units": {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX"},
    "hash seed": {"PYTHONHASHSEED": "4711"},
}


def digest(environment: dict[str, str], *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


@pytest.fixture(scope="module")
def expected() -> str:
    found = digest({})
    assert len(found.strip()) == hashlib.sha256().digest_size * 2
    return found


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("form", ["compiled", "numpy"])
def test_the_bytes_are_the_same(name: str, form: str, expected: str) -> None:
    assert digest(ENVIRONMENTS[name], form) == expected
