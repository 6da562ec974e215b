"""Predicted coding of a strip (spec §8): labels guessed bit by bit, and the flags of wrong guesses compressed."""

from __future__ import annotations

from kmcodec.errors import FormatError, UnsupportedError
from kmcodec.format.packing import bits_for
from kmcodec.format.prediction.kernel import STREAMS, decode_flags, encode_flags
from kmcodec.format.prediction.parameters import MAX_WIDTH, Parameters
from kmcodec.format.prediction.streams import join_streams, split_streams
from kmcodec.indexed import Labels, Palette


def encode_predicted(labels: Labels, palette: Palette, parameters: Parameters) -> bytes:
    """
    Labels of a strip to its payload.

    Args:
        labels: Shape (rows, width), all below K.
        palette: Shape (K, C), K ≥ 2.
        parameters: Of the model.
    """
    return join_streams(encode_flags(labels, palette, parameters)[: parameters.streams])


def decode_predicted(
    payload: bytes, shape: tuple[int, int], palette: Palette, parameters: Parameters, *, what: str
) -> Labels:
    """
    The inverse of `encode_predicted`.

    Args:
        payload: Result of `encode_predicted`.
        shape: Rows and width.
        palette: Shape (K, C), K ≥ 2.
        parameters: Of the model.
        what: Which strip it is, for the message of an error.

    Raises:
        FormatError: The payload is damaged.
        UnsupportedError: The rows are longer than `MAX_WIDTH`.
    """
    if shape[1] > MAX_WIDTH:
        raise UnsupportedError(f"predicted rows of {shape[1]} pixels; this kmcodec reads up to {MAX_WIDTH}")
    most_flags = shape[0] * shape[1] * (bits_for(len(palette)) + 1)
    try:
        streams = split_streams(payload, parameters.streams, most_flags)
        streams += [b""] * (STREAMS - len(streams))
        return decode_flags(streams, shape, palette, parameters)
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from None
