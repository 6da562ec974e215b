"""The look of curves."""

from __future__ import annotations

COLORS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7b3294", "#666666", "#e69f00", "#a6761d")
"""For series in turn; told apart by most people who see fewer colours, and by the markers besides."""
