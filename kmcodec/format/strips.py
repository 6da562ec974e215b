"""
Strips: runs of rows that are coded and decoded alone, so on all cores, and so that any rows are two reads away.

The last four bytes of a strip are a CRC-32 of the header's check, the strip's number and its payload: a damaged,
exchanged or foreign strip is found before it is decoded, at the price of a pass over compressed bytes. (zstd's own
checksum is of the contents; bits of a frame that its decoder ignores escape it.)
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kmcodec.errors import FormatError

CHECK_BYTES = 4

STRIP_PIXELS = 1 << 20
"""Pixels a strip aims at. Smaller ones cost bytes (1 to 5 % at 64 rows of a photo), larger ones cores and access."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def strip_height_for(width: int, height: int) -> int:
    """Rows a strip, such that all strips are about equal and of about STRIP_PIXELS pixels."""
    count = min(height, max(1, round(width * height / STRIP_PIXELS)))
    return -(-height // count)


def seal(payload: bytes, header_check: bytes, strip: int) -> bytes:
    """A strip: its payload and its check."""
    return payload + _check(payload, header_check, strip)


def unseal(strip_bytes: bytes, header_check: bytes, strip: int, *, what: str) -> bytes:
    """
    The payload of a strip.

    Raises:
        FormatError: The check does not fit.
    """
    payload, check = strip_bytes[:-CHECK_BYTES], strip_bytes[-CHECK_BYTES:]
    if check != _check(payload, header_check, strip):
        raise FormatError(f"{what}: damaged, its CRC-32 does not fit")
    return payload


def run_on_cores(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None) -> list[_Result]:
    """
    Do the same to every item, in order, on several threads; the results do not depend on how many.

    Args:
        work: What to do; it should spend its time outside the interpreter lock.
        items: The items.
        threads: How many threads; None for one a core.
    """
    jobs = list(items)
    workers = min(len(jobs), threads or available_cores())
    if workers <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, jobs))


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check(payload: bytes, header_check: bytes, strip: int) -> bytes:
    start = zlib.crc32(header_check + strip.to_bytes(4, "little"))
    return zlib.crc32(payload, start).to_bytes(CHECK_BYTES, "little")
