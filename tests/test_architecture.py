"""Rules about the code itself that hold for every module, also for those to come."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import kmcodec
from kmcodec import expand
from kmcodec.format.prediction import kernel
from kmcodec.quantizer import dither, nearest

PACKAGE = Path(kmcodec.__file__).parent


def importers_of(library: str) -> set[str]:
    """Modules that import a library, by their paths in the package."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == library for name in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    return found


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("construct", {"format/container.py"}),
        ("zstandard", {"format/frames.py"}),
        ("skimage", {"metrics.py"}),
        ("scipy", {"ssimulacra2.py"}),
        ("matplotlib", {"measure/plot.py"}),
        ("oxipng", {"measure/peers.py"}),
        ("distributed", {"batch/cluster.py"}),
        ("fsspec", {"files.py", "folders.py"}),
        ("multiprocessing", {"processes.py", "measure/pool.py"}),
        ("pyvips", {"large/images.py"}),
    ],
)
def test_a_library_is_known_in_one_place(library: str, only: set[str]) -> None:
    assert importers_of(library) == only


@pytest.mark.parametrize("module", [dither, expand, kernel, nearest])
def test_the_compiled_modules_were_built(module: object) -> None:
    assert module._compiled is not None  # type: ignore[attr-defined]
