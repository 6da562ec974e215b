"""
Pictures larger than memory: read, coded, decoded and written in blocks of rows.

    encode.py       write_rows: blocks of rows, read twice, to a .kmc file
    spool.py        what is kept on the way, in temporary files
    images.py       rows of PNG, TIFF and other files, through libvips
    metadata.py     what is kept of such a file besides its pixels
    decode.py       a .kmc file to a PNG or TIFF
    png.py tiff.py  those two, of the blocks that Pillow makes
"""

from __future__ import annotations

from kmcodec.large.encode import write_rows

__all__ = ["write_rows"]
