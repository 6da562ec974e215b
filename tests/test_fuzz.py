"""The first thousands of the mutated files that `python -m tests.fuzz.mutated` makes by the million."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.mutated import ALLOWED, decode_mutated
from tests.fuzz.seeds import seeds


@pytest.mark.parametrize("seed", range(2))
def test_mutated_files_raise_nothing_but_decode_errors_and_never_decode_to_other_pixels(seed: int) -> None:
    originals = seeds()
    outcomes = Counter(decode_mutated(originals, seed, number)[0] for number in range(3000))
    assert set(outcomes) <= ALLOWED, outcomes
    assert outcomes["FormatError"] > 1000 < outcomes.total() - outcomes["unchanged"]
