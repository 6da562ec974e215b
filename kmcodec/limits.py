"""How large a picture may be before decoding refuses it."""

from __future__ import annotations

from dataclasses import dataclass

METADATA_BYTES = 1 << 26
"""Most bytes of metadata that are read unless a caller allows more, and so the most that are ever written."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """
    Bounds on what decoding may allocate, checked before it does.

    Attributes:
        pixels: Most pixels, width × height. The default, 2²⁸, is 16 384 × 16 384 and takes 0.8 GB as RGB.
        file_bytes: Most bytes of a file.
        metadata_bytes: Most bytes of metadata, uncompressed.

    None lifts a bound.
    """

    pixels: int | None = 1 << 28
    file_bytes: int | None = 1 << 30
    metadata_bytes: int | None = METADATA_BYTES

    def __post_init__(self) -> None:
        for name in ("pixels", "file_bytes", "metadata_bytes"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"limit {name} must be a positive integer or None, not {value!r}")


DEFAULT_LIMITS = Limits()
