"""The modules that were compiled when the package was built, or were not."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType


def compiled(name: str) -> ModuleType | None:
    """A compiled module by its full name; None if it was never built or, with a warning, cannot be loaded."""
    try:
        return import_module(name)
    except ImportError as error:
        if not (isinstance(error, ModuleNotFoundError) and error.name == name):
            warnings.warn(f"{name} was compiled, but cannot be loaded: {error}", RuntimeWarning, stacklevel=2)
        return None
