"""The modules that were compiled when the package was built, or were not."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def compiled(name: str) -> ModuleType | None:
    """A compiled module of kmcodec by its full name; None if the package was built without a C compiler."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return None
