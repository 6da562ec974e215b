"""Labels at a fixed width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmcodec.errors import FormatError
from kmcodec.format.packing import pack_labels, packed_size, unpack_labels, widths_for
from kmcodec.indexed import label_dtype

WIDTHS = range(1, 17)


def random_labels(count: int, bits: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << bits, count).astype(label_dtype(1 << bits))


@given(bits=st.sampled_from(WIDTHS), count=st.integers(0, 70), seed=st.integers(0, 9))
def test_unpacking_inverts_packing(bits: int, count: int, seed: int) -> None:
    labels = random_labels(count, bits, seed)
    packed = pack_labels(labels, bits)
    assert len(packed) == packed_size(count, bits)
    unpacked = unpack_labels(packed, count, bits)
    assert unpacked.dtype == labels.dtype
    np.testing.assert_array_equal(unpacked, labels)


@given(bits=st.sampled_from(WIDTHS), count=st.integers(1, 70), seed=st.integers(0, 9))
def test_labels_follow_one_another_most_significant_bit_first(bits: int, count: int, seed: int) -> None:
    labels = random_labels(count, bits, seed)
    written = "".join(format(label, f"0{bits}b") for label in labels.tolist())
    packed = "".join(format(byte, "08b") for byte in pack_labels(labels, bits))
    assert packed == written.ljust(len(packed), "0")


def test_two_labels_of_three_bits_share_a_byte() -> None:
    assert pack_labels(np.array([5, 3], np.uint8), 3) == bytes([0b101_011_00])


def test_a_wide_label_type_packs_into_few_bits() -> None:
    assert pack_labels(np.array([1, 0, 1], np.uint16), 1) == bytes([0b1010_0000])


@pytest.mark.parametrize("bits", [b for b in WIDTHS if b % 8])
def test_padding_bits_must_be_zero(bits: int) -> None:
    packed = bytearray(pack_labels(random_labels(1, bits, 0), bits))
    packed[-1] |= 1
    with pytest.raises(FormatError, match="not zero"):
        unpack_labels(bytes(packed), 1, bits)


@pytest.mark.parametrize("change", [-1, 1])
def test_the_length_must_be_exact(change: int) -> None:
    with pytest.raises(FormatError, match="bytes"):
        unpack_labels(bytes(packed_size(10, 5) + change), 10, 5)


@pytest.mark.parametrize(
    ("colors", "widths"),
    [
        (1, (0,)),
        (2, (1,)),
        (3, (2,)),
        (5, (3, 4)),
        (16, (4,)),
        (17, (5, 8)),
        (256, (8,)),
        (257, (9, 16)),
        (65536, (16,)),
    ],
)
def test_widths_are_the_least_and_the_next_that_does_not_straddle_bytes(colors: int, widths: tuple[int, ...]) -> None:
    assert widths_for(colors) == widths
