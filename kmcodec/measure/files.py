"""Records as CSV and JSON."""

from __future__ import annotations

import csv
import json
from io import StringIO

from kmcodec import __version__
from kmcodec.measure.records import COLUMNS
from kmcodec.measure.summary import bd_rates, means
from kmcodec.measure.sweeps import Sweep


def csv_of(sweep: Sweep) -> str:
    """
    A line for each record, with the names of `COLUMNS` above.

    Where something was not measured a cell is empty; an infinite PSNR is "inf"; `lossless` is "True" or "False".
    """
    buffer = StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(record.as_row() for record in sweep.records)
    return buffer.getvalue()


def json_of(sweep: Sweep) -> str:
    """
    An object with these members.

    kmcodec: the version; columns: what they mean; records: a list, with null for what was not measured and for an
    infinite PSNR; means: over pictures, as `Mean`; bd_rates: between any two series, as `BdRate`; missing: peers that
    are not installed, and what they lack; failures: what could not be measured.
    """
    document = {
        "kmcodec": __version__,
        "columns": dict(COLUMNS),
        "records": [record.as_json() for record in sweep.records],
        "means": [mean.as_json() for mean in means(sweep.records)],
        "bd_rates": [vars(rate) for rate in bd_rates(sweep.records)],
        "missing": sweep.missing,
        "failures": [vars(failure) for failure in sweep.failures],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
