"""
Every file of PngSuite through the command, encoded and decoded.

    python tests/bench/pngsuite.py FOLDER

A valid file must come back: exactly, where it has at most 256 colours in 8 bits. Those whose names begin with x are
corrupt: one line of error, exit code 1, no file. Exits with 1 if a file behaves otherwise.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import kmcodec
from kmcodec.pixels import as_pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    paths = sorted(parser.parse_args().folder.glob("*.png"))
    if not paths:
        parser.error("no PNG in this folder")
    with tempfile.TemporaryDirectory() as folder:
        results = [(path, check(path, Path(folder) / f"{path.stem}.kmc")) for path in paths]
    wrong = [(path, result) for path, result in results if not result.startswith(("exact", "approximate", "refused"))]
    for kind in ("exact", "approximate", "refused"):
        print(f"{kind}: {sum(result.startswith(kind) for _, result in results)}")
    for path, result in wrong:
        print(f"{path.name}: {result}")
    sys.exit(bool(wrong))


def check(path: Path, target: Path) -> str:
    command = [sys.executable, "-m", "kmcodec", "encode", str(path), "-o", str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if path.name.startswith("x"):
        one_line = run.stderr.count("\n") == 1 and run.stderr.startswith(f"kmcodec: error: {path}: ")
        refused = run.returncode == 1 and one_line and not target.exists()
        return f"refused: {run.stderr.strip()}" if refused else f"corrupt, but {run.returncode}, {run.stderr!r}"
    if run.returncode != 0:
        return run.stderr
    png = target.with_suffix(".png")
    subprocess.run(
        [sys.executable, "-m", "kmcodec", "decode", str(target), "-o", str(png)], check=True, capture_output=True
    )
    original, decoded = as_pixels(Image.open(path)), kmcodec.read(target)
    if not np.array_equal(as_pixels(Image.open(png)), decoded):
        return "the decoded PNG is not the decoded array"
    colors = len(np.unique(original.reshape(-1, original.shape[2]), axis=0))
    if colors > 256:
        return "approximate"
    return "exact" if np.array_equal(original, decoded) else "not exact"


if __name__ == "__main__":
    main()
