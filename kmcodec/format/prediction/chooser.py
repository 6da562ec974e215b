"""
What labels cost, and labels chosen by what they cost: the one thing that rate–distortion asks the format for.

The model that codes labels also prices them. It learns as it goes, so a chooser reads a picture in the order in which
it will be coded, and stays warm from one pass to the next. Decoding needs nothing of this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kmcodec.format.prediction.kernel import compiled_kernel
from kmcodec.format.prediction.parameters import Parameters
from kmcodec.indexed import Labels, Palette, label_dtype

WEIGHT_ONE = 256
"""The weight of a pixel whose squared error counts as it is."""

PRICE_ONE = 16
"""The price of a bit that is worth a squared error of 1."""

MAX_REACH = 16

Points = npt.NDArray[np.int16]
"""Coordinates of colours, shape (…, 4), within ±2047; the fourth is 0 where there is no alpha."""


@dataclass(frozen=True, eq=False)
class Colors:
    """
    A palette as a pass sees it.

    Attributes:
        palette: The colours, shape (K, C).
        points: Where they are, shape (K, 4).
        used: Which may be chosen, shape (K,).
        neighbors: For every colour others that may be chosen, by rising distance, shape (K, N), N ≤ 16.
        distances: The squared distances to those, shape (K, N).
    """

    palette: Palette
    points: Points
    used: npt.NDArray[np.bool_]
    neighbors: npt.NDArray[np.uint16]
    distances: npt.NDArray[np.int32]


class LabelChooser:
    """
    Labels of least weight · squared error + price · bits, for pictures of one size.

    Args:
        shape: Height and width.
        palette: Shape (K, C), K ≥ 2.
        parameters: Of the model that prices labels.

    Raises:
        RuntimeError: kmcodec was installed without a compiler.
    """

    def __init__(self, shape: tuple[int, int], palette: Palette, parameters: Parameters) -> None:
        kernel = compiled_kernel()
        if kernel is None:
            raise RuntimeError(
                "kmcodec was installed without a C compiler, which choosing labels by their size needs;"
                " with one, install it again"
            )
        self._chooser = kernel.Chooser(
            shape,
            np.ascontiguousarray(palette),
            parameters.context_set,
            parameters.table_bits,
            parameters.sparse,
        )

    def run(
        self,
        labels: Labels,
        colors: Colors,
        pixels: Points,
        weights: npt.NDArray[np.uint16],
        nearest: Labels,
        *,
        price: int,
        look_ahead: bool,
        settle: bool,
    ) -> Labels:
        """
        One pass over the picture, during which the model learns.

        Args:
            labels: Of the pass before, or nearest ones, shape (height, width); all used.
            colors: The palette, of as many colours as at first.
            pixels: Where the pixels' colours are, shape (height, width, 4).
            weights: Of the squared errors of pixels, shape (height, width), 256 = 1.
            nearest: The label of the used colour nearest to each pixel, shape (height, width).
            price: Squared error that a bit is worth, 16 = 1; ≥ 1.
            look_ahead: Whether the next pixel's cost counts, which takes half as long again.
            settle: Whether neighbours should agree with what the pass before chose.

        Returns:
            Shape (height, width).
        """
        chosen = labels.astype(np.uint16)
        self._chooser.run(
            chosen,
            np.ascontiguousarray(colors.palette),
            pixels,
            weights,
            np.ascontiguousarray(nearest, np.uint16),
            colors.points,
            colors.used.view(np.uint8),
            colors.neighbors,
            colors.distances,
            price,
            look_ahead,
            settle,
        )
        return chosen.astype(label_dtype(len(colors.palette)), copy=False)
