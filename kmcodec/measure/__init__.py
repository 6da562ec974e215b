"""
Size against quality, on pictures of one's own, against the codecs one uses today.

    sweep               encode, decode and measure at many settings
    Sweep, Record       what was measured; Failure: what could not be
    PEERS               the codecs to compare with
    NamedPicture        a picture in memory; samples: those that come with kmcodec
    bd_rate             how many more bytes one curve takes than another
    means, bd_rates     summaries over many pictures
    csv_of, json_of, plot_of, page_of   reports

A name is imported when it is first used. Metrics other than PSNR, and plots, need `pip install 'kmcodec[measure]'`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmcodec.lazy import lazy_names

if TYPE_CHECKING:
    from kmcodec.measure.bd import bd_rate
    from kmcodec.measure.files import csv_of, json_of
    from kmcodec.measure.page import page_of
    from kmcodec.measure.peers import PEERS
    from kmcodec.measure.pictures import NamedPicture, samples
    from kmcodec.measure.plot import plot_of
    from kmcodec.measure.records import COLUMNS, Failure, Point, Record
    from kmcodec.measure.summary import BdRate, Mean, bd_rates, means
    from kmcodec.measure.sweeps import Sweep, sweep

__all__ = [
    "COLUMNS",
    "PEERS",
    "BdRate",
    "Failure",
    "Mean",
    "NamedPicture",
    "Point",
    "Record",
    "Sweep",
    "bd_rate",
    "bd_rates",
    "csv_of",
    "json_of",
    "means",
    "page_of",
    "plot_of",
    "samples",
    "sweep",
]

_MODULES = {
    "bd": ("bd_rate",),
    "files": ("csv_of", "json_of"),
    "page": ("page_of",),
    "peers": ("PEERS",),
    "pictures": ("NamedPicture", "samples"),
    "plot": ("plot_of",),
    "records": ("COLUMNS", "Failure", "Point", "Record"),
    "summary": ("BdRate", "Mean", "bd_rates", "means"),
    "sweeps": ("Sweep", "sweep"),
}
_MODULE_OF = {name: f"kmcodec.measure.{module}" for module, names in _MODULES.items() for name in names}

__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
