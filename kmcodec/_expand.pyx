# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Labels to colours, compiled; `expand.py` has the contract."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy

ctypedef fused Label:
    uint8_t
    uint16_t


def expand(const uint8_t[:, ::1] colors, int channels, const Label[::1] labels, uint8_t[:, ::1] pixels):
    """
    Fill pixels (n, channels) with the colours (K, 4) of labels (n,); every label must be below K, and n ≥ 1.

    Colours are copied four bytes at a time: of three-byte ones the next overwrites the fourth byte, so the last is
    copied alone. A copy of constant size is one instruction.
    """
    cdef Py_ssize_t i, n = labels.shape[0]
    cdef const uint8_t *table = &colors[0, 0]
    cdef uint8_t *out = &pixels[0, 0]
    with nogil:
        for i in range(n - 1):
            memcpy(out, table + 4 * <Py_ssize_t>labels[i], 4)
            out += channels
        memcpy(out, table + 4 * <Py_ssize_t>labels[n - 1], channels)
