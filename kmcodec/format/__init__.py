"""
Palette, labels and metadata to `.kmc` bytes and back, without loss: the exact half of kmcodec.

It knows neither where pixels come from nor where bytes go.
"""

from __future__ import annotations

from kmcodec.format.container import Coding, Header
from kmcodec.format.reader import KmcFile, loads
from kmcodec.format.writer import DEFAULT_EFFORT, dumps

__all__ = ["DEFAULT_EFFORT", "Coding", "Header", "KmcFile", "dumps", "loads"]
