"""
Many files, by any executor.

    encode_many, decode_many    a stream of jobs to a stream of outcomes
    Job, Outcome                what is to be done with a file, and what came of it
    EncodeSettings, DecodeSettings
    shared_palette              one palette for many pictures, as if they were one; `with_palette` gives it to each
    Processes                   an executor over processes that goes on where one of them dies

    settings.py   how files are encoded and decoded, and the hash of that
    jobs.py       jobs and outcomes
    encoding.py   one picture to one .kmc file
    decoding.py   one .kmc file to one picture
    many.py       streams of them
    losses.py     what a .kmc file does not keep of a picture
    perform.py    what both have in common: what stands in the way, what goes wrong, what is written
    streaming.py  a window of jobs in flight; workers that die
    palette.py    histograms of many files, added, for one palette
    storage.py    where files are
    log.py        what was done, so that a run that was broken off goes on
    cluster.py    Dask

Names are imported when they are first used, so that decoding never loads the quantiser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmcodec.lazy import lazy_names

if TYPE_CHECKING:
    from kmcodec.batch.jobs import Job, Outcome
    from kmcodec.batch.many import decode_many, encode_many
    from kmcodec.batch.palette import shared_palette, with_palette
    from kmcodec.batch.settings import DecodeSettings, EncodeSettings
    from kmcodec.batch.streaming import WorkersLostError
    from kmcodec.processes import Processes

__all__ = [
    "DecodeSettings",
    "EncodeSettings",
    "Job",
    "Outcome",
    "Processes",
    "WorkersLostError",
    "decode_many",
    "encode_many",
    "shared_palette",
    "with_palette",
]

_MODULE_OF = {
    "DecodeSettings": "kmcodec.batch.settings",
    "EncodeSettings": "kmcodec.batch.settings",
    "Job": "kmcodec.batch.jobs",
    "Outcome": "kmcodec.batch.jobs",
    "Processes": "kmcodec.processes",
    "WorkersLostError": "kmcodec.batch.streaming",
    "decode_many": "kmcodec.batch.many",
    "encode_many": "kmcodec.batch.many",
    "shared_palette": "kmcodec.batch.palette",
    "with_palette": "kmcodec.batch.palette",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
