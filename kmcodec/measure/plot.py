"""Rate–distortion curves as a picture."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from kmcodec.measure.colors import COLORS
from kmcodec.measure.records import Quality
from kmcodec.measure.summary import Mean, means, measured_qualities
from kmcodec.measure.sweeps import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")

_PANEL_INCHES = (5.2, 3.9)
_DPI = 110


def check_matplotlib() -> None:
    """Raise ImportError, in one sentence, if plots cannot be made."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError("plots need matplotlib; install it with: pip install 'kmcodec[measure]'") from None


def plot_of(sweep: Sweep, kind: Literal["png", "svg"]) -> bytes:
    """
    Curves of all series: bytes, on a logarithmic scale, against quality, one panel a metric; up and left is better.

    Several pictures are one curve, of geometric means of bytes over arithmetic means of quality. Codecs without loss
    are vertical lines.

    Args:
        sweep: One record at least.
        kind: Of the file.

    Returns:
        The file.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: There is no record.
    """
    check_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not sweep.records:
        raise ValueError("nothing was measured, so there is nothing to plot")
    qualities = measured_qualities(sweep.records)
    columns = min(2, len(qualities))
    rows = math.ceil(len(qualities) / columns)
    width, height = _PANEL_INCHES
    with rc_context({"svg.hashsalt": "kmcodec", "svg.fonttype": "none"}):  # the same file every time, and text as text
        figure = Figure(figsize=(width * columns, height * rows + 0.9), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        found = means(sweep.records)
        for panel, quality in zip(panels, qualities, strict=False):
            _draw(panel, found, quality)
        for panel in panels[len(qualities) :]:
            panel.set_visible(False)
        pictures = len({record.picture for record in sweep.records})
        figure.suptitle(f"Size against quality, {f'means of {pictures} pictures' if pictures > 1 else '1 picture'}")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4 if columns > 1 else 2, frameon=False)
        buffer = BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def _draw(panel: Axes, found: list[Mean], quality: Quality) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    names = list(dict.fromkeys(mean.point.series for mean in found))
    for i, name in enumerate(names):
        series = sorted((mean for mean in found if mean.point.series == name), key=lambda mean: mean.file_bytes)
        color, marker = COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]
        lossy = [mean for mean in series if not mean.lossless_pictures]
        if not lossy:
            panel.axvline(series[0].file_bytes, color=color, linestyle="--", linewidth=1.2, label=name)
            continue
        points = [(mean.file_bytes, value) for mean in lossy if (value := getattr(mean, quality.column)) is not None]
        panel.plot(
            [size for size, _ in points],
            [value for _, value in points],
            color=color,
            marker=marker,
            markersize=4.5,
            linewidth=2.4 if name.startswith("kmcodec") else 1.3,
            label=name,
            zorder=3 if name.startswith("kmcodec") else 2,
        )
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("file, bytes")
    panel.set_ylabel(f"{quality.title} ({'higher' if quality.higher_is_better else 'lower'} is better)")
    if not quality.higher_is_better:
        panel.invert_yaxis()
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g} k")
    panel.grid(True, which="major", alpha=0.35)
    panel.grid(True, which="minor", axis="x", alpha=0.15)
