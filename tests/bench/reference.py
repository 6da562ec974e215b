"""
Whether the reference decoder and kmcodec agree on random files, and the reference decoder on all valid vectors.

    python tests/bench/reference.py --files 1000 --seed 0
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.specification import manifest, random_file, reference_decoder, vector


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--files", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow")
    options = parser.parse_args()
    counts = {0: 0, 1: 0}
    for seed in range(options.seed, options.seed + options.files):
        image, data = random_file(seed)
        picture = reference_decoder.decode(data)
        if picture.labels != image.labels.tolist() or picture.samples() != image.to_pixels().tobytes():
            print(f"seed {seed}: another picture")
            return 1
        counts[picture.coding] += 1
    for entry in manifest()["valid"]:
        samples = reference_decoder.decode(vector(entry)).samples()
        if hashlib.sha256(samples).hexdigest() != entry["samples_sha256"]:
            print(f"vector {entry['name']}: another picture")
            return 1
    print(f"{len(manifest()['valid'])} vectors decode")
    print(f"{options.files} files from seed {options.seed} agree: {counts[0]} plain, {counts[1]} predicted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
