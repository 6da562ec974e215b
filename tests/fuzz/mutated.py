"""
Decode mutated files by the million: nothing but DecodeError, within bounds of time and memory, and no other picture.

    python -m tests.fuzz.mutated [--files 1000000] [--seed 1] [--jobs 2]

A third of the files is damaged anywhere, a third in the header, whose check is made to fit, and a third in the strips,
whose checks are not looked at, so that what they hold is decoded. The first third must not decode to other pixels
than the original's. Times are of the whole decoding; memory is the process's address space, which is limited.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random

import kmcodec
from kmcodec.errors import DecodeError
from tests.fuzz.checks import without_strip_checks
from tests.fuzz.mutations import mutate, mutate_header, mutate_strips
from tests.fuzz.seeds import LIMITS, Seed, fingerprint, seeds

MOST_SECONDS = 2.0
MOST_BYTES = 256 << 20
"""More than the process has when it starts: for the seeds' own 2¹⁷ pixels, tables of 2¹⁷ lines, and the libraries."""

_SILENCE_SECONDS = 30.0
_PART = 2000


@dataclass
class Findings:
    """
    Attributes:
        outcomes: How often each exception, or none, was the end.
        slowest: Seconds of the slowest file, and which it was.
        broken: Files that did what none may do, and what that was.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    broken: list[tuple[str, str, bytes]] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take in those of another part."""
        self.outcomes += other.outcomes
        self.slowest = max(self.slowest, other.slowest)
        self.broken += other.broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000, help="how many; 1000000")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers; 1")
    parser.add_argument("--jobs", type=int, default=2, help="processes; 2")
    parser.add_argument("--unlimited", action="store_true", help="do not limit memory, which sanitizers need much of")
    parser.add_argument("--keep", type=Path, help="a folder for files that broke a rule")
    options = parser.parse_args()
    started = time.perf_counter()
    findings = Findings()
    parts = [(options.seed, start, min(start + _PART, options.files)) for start in range(0, options.files, _PART)]
    with multiprocessing.get_context("spawn").Pool(options.jobs, None if options.unlimited else _limit_memory) as pool:
        results = pool.imap(_decode_part, parts)
        for _ in parts:
            findings.add(results.next(timeout=_SILENCE_SECONDS * _PART / 100))
    report(findings, options.files, options.seed, time.perf_counter() - started)
    for name, what, data in findings.broken:
        print(f"BROKEN {name}: {what}")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{name.replace(' ', '-')}.kmc").write_bytes(data)
    sys.exit(bool(findings.broken))


def report(findings: Findings, files: int, seed: int, seconds: float) -> None:
    """Print what came out."""
    print(f"{files} files, seed {seed}, from {len(seeds())} originals, in {seconds:.0f} s")
    for outcome, count in findings.outcomes.most_common():
        print(f"{count:9}  {outcome}")
    print(f"slowest: {findings.slowest[0]:.3f} s, {findings.slowest[1]}")
    print(f"broken rules: {len(findings.broken)}")


def decode_mutated(originals: list[Seed], seed: int, number: int) -> tuple[str, str, bytes]:
    """
    Damage and decode one file.

    Returns:
        What came of it (an exception's name, "unchanged", "other pixels", or "another file" where checks were not
        looked at or made to fit), which file it was, and its bytes.
    """
    random = Random(seed << 40 | number)
    original, other = random.choice(originals), random.choice(originals)
    way = (mutate, mutate_header, mutate_strips)[number % 3]
    data = way(random, original, other)
    name = f"{seed}-{number} {way.__name__} of {original.name}"
    with without_strip_checks() if way is mutate_strips else nullcontext():
        outcome = _outcome(data, original)
    if way is mutate:
        no_effect = outcome == "unchanged" and data != original.data
        return "damage without effect" if no_effect else outcome, name, data
    return "another file" if outcome == "other pixels" else outcome, name, data


def _outcome(data: bytes, original: Seed) -> str:
    try:
        pixels = fingerprint(kmcodec.loads(data, limits=LIMITS, threads=1))
        with_rows = kmcodec.KmcFile(BytesIO(data), limits=LIMITS, threads=1)
        with_rows.read_rows(with_rows.header.height // 2, with_rows.header.height)
    except DecodeError as error:
        return type(error).__name__
    return "unchanged" if pixels == original.pixels else "other pixels"


def _decode_part(part: tuple[int, int, int]) -> Findings:
    seed, start, stop = part
    originals = seeds()
    findings = Findings()
    for number in range(start, stop):
        started = time.perf_counter()
        try:
            outcome, name, data = decode_mutated(originals, seed, number)
        except Exception as error:  # whatever it is, it is what is looked for
            outcome, name, data = repr(error), f"{seed}-{number}", b""
        seconds = time.perf_counter() - started
        findings.outcomes[outcome] += 1
        findings.slowest = max(findings.slowest, (seconds, name))
        if outcome not in ALLOWED:
            findings.broken.append((name, outcome, data))
        if seconds > MOST_SECONDS:
            findings.broken.append((name, f"{seconds:.1f} s", data))
    return findings


ALLOWED = {
    *(error.__name__ for error in (DecodeError, *DecodeError.__subclasses__(), kmcodec.errors.TruncatedError)),
    "unchanged",
    "another file",
}


def _limit_memory() -> None:
    seeds()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
