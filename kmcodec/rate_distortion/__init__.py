"""
Size against quality: the one room that sees both wings, the quantiser and the format.

    target.py     what is asked for, and the encodings that get there
    search.py     the quality at which a value is reached
    quality.py    what a quality means: colours and λ
    reduce.py     a picture, reduced as often as it takes
    labels.py     palette and labels chosen together for little error and few bits
    activity.py   how much the error of each pixel counts
"""

from __future__ import annotations

from kmcodec.rate_distortion.search import MOST_TRIALS
from kmcodec.rate_distortion.target import Target, Trial, encode_for

__all__ = ["MOST_TRIALS", "Target", "Trial", "encode_for"]
