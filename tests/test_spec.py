"""The specification and what is beside it: they agree with each other, and with kmcodec."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kmcodec
from kmcodec.errors import UnsupportedError
from kmcodec.format.predicted import decode_predicted
from kmcodec.format.prediction.parameters import MAX_WIDTH, ContextSet, Parameters
from tests.specification import DOCUMENT, SPEC, VECTORS, load, manifest, random_file, reference_decoder, vector

TEXT = DOCUMENT.read_text(encoding="utf-8")
RULES = dict(re.findall(r"\*\*\[(R\d+)\]\*\* (\w+Error)", TEXT))
SECTIONS = set(re.findall(r"^#{2,3} ([\d.]+)\. ", TEXT, re.MULTILINE))
VALID = manifest()["valid"]


def test_rules_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"\*\*\[R(\d+)\]\*\*", TEXT)]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert len(RULES) == len(numbers)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_vector_with_its_error(rule: str) -> None:
    found = {entry["error"] for entry in manifest()["invalid"] if entry["rule"] == rule}
    assert found == {RULES[rule]}


def test_every_section_that_the_specification_refers_to_is_there() -> None:
    named = re.findall(r"sections? ([\d.]*\d)(?: (?:and|to) ([\d.]*\d))?", TEXT)
    assert {number for numbers in named for number in numbers if number} <= SECTIONS


def test_every_section_that_the_code_refers_to_is_there() -> None:
    folder = Path(kmcodec.__file__).parent / "format"
    paths = [path for path in folder.rglob("*") if path.suffix in {".py", ".c", ".h"} and path.name != "_kernel.c"]
    sources = [path.read_text(encoding="utf-8") for path in paths]
    cited = {
        number for source in sources for pair in re.findall(r"§([\d.]*\d)(?:–([\d.]*\d))?", source) for number in pair
    }
    assert cited - {""}
    assert cited - {""} <= SECTIONS


@pytest.mark.parametrize(("section", "name"), [("15.1", "example-plain"), ("15.2", "example-predicted")])
def test_the_dumps_are_those_of_the_files(section: str, name: str) -> None:
    dump = TEXT.partition(f"### {section}. ")[2].partition("\n#")[0]
    data = (VECTORS / "valid" / f"{name}.kmc").read_bytes()
    written = b""
    for offset, line in re.findall(r"^    ([0-9A-F]{2})  ((?:[0-9A-F]{2} )*[0-9A-F]{2})(?:  |$)", dump, re.MULTILINE):
        assert len(written) == int(offset, 16)
        written += bytes.fromhex(line)
    assert written == data


def test_the_reference_decoder_needs_zstandard_and_nothing_else() -> None:
    tree = ast.parse((SPEC / "reference_decoder.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {str(module).partition(".")[0] for module in modules} - sys.stdlib_module_names == {"zstandard"}


@pytest.mark.parametrize("seed", range(60))
def test_the_reference_decoder_reads_what_kmcodec_writes(seed: int) -> None:
    image, data = random_file(seed)
    picture = reference_decoder.decode(data)
    assert picture.labels == image.labels.tolist()
    assert picture.samples() == image.to_pixels().tobytes()


@pytest.mark.parametrize(
    ("name", "start"), [("example-predicted", b"P6\n4 2\n255\n"), ("plain-k1-alpha", b"P7\nWIDTH 300\nHEIGHT 200\n")]
)
def test_the_reference_decoder_writes_netpbm(name: str, start: bytes) -> None:
    path = VECTORS / "valid" / f"{name}.kmc"
    run = run_decoder(str(path))
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.startswith(start)
    assert run.stdout.endswith(kmcodec.decode(path.read_bytes()).tobytes())


def test_the_reference_decoder_names_the_error() -> None:
    run = run_decoder(str(VECTORS / "invalid" / "r10-version-2.kmc"))
    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr.rstrip().endswith(b"r10-version-2.kmc: UnsupportedError: R10: version 2")


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["no-such-file"], 1)])
def test_the_reference_decoder_says_how_it_is_used(arguments: list[str], code: int) -> None:
    run = run_decoder(*arguments)
    assert (run.returncode, run.stdout) == (code, b"")
    assert b"Traceback" not in run.stderr


def run_decoder(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(SPEC / "reference_decoder.py"), *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def test_rows_longer_than_the_kernel_takes_are_unsupported() -> None:
    palette = np.zeros((2, 3), np.uint8)
    with pytest.raises(UnsupportedError, match="2147483648 pixels"):
        decode_predicted(b"", (1, MAX_WIDTH + 1), palette, Parameters(ContextSet.SMOOTH, 8), what="strip 0")


@pytest.fixture(scope="module")
def kaitai(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """spec/kmc.ksy, compiled to Python."""
    pytest.importorskip("kaitaistruct", reason="the package kaitaistruct is missing")
    node, tests = shutil.which("node"), Path(__file__).parent
    if node is None or not (tests / "node_modules" / "kaitai-struct-compiler").is_dir():
        pytest.skip("the compiler of Kaitai Struct is missing: npm install --prefix tests --no-package-lock")
    run = subprocess.run(
        [node, str(tests / "compile_ksy.js"), str(SPEC / "kmc.ksy")], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    path = tmp_path_factory.mktemp("kaitai") / "kmc.py"
    path.write_text(run.stdout, encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("entry", VALID, ids=lambda entry: entry["name"])
def test_kaitai_struct_finds_the_same_fields(entry: dict[str, Any], kaitai: ModuleType) -> None:
    data = vector(entry)
    theirs = kaitai.Kmc.from_bytes(data)
    ours = kmcodec.KmcFile(BytesIO(data)).header
    assert theirs._io.is_eof()
    assert (theirs.version, theirs.coding.value, theirs.parameter) == (ours.version, ours.coding, ours.parameter)
    assert (theirs.width.value, theirs.height.value) == (ours.width, ours.height)
    assert (theirs.num_colors, theirs.num_channels) == (ours.colors, ours.channels)
    assert (theirs.strip_height.value, theirs.num_strips) == (ours.strip_height, ours.strip_count)
    assert theirs.stored_palette == ours.stored_palette
    assert tuple(length.value for length in theirs.strip_bytes) == ours.strip_bytes
    assert items_of(theirs) == [(item.kind, item.size, item.stored) for item in ours.metadata]
    assert theirs.check.to_bytes(4, "little") == ours.check
    ends = [data[start:end] for start, end in zip(ours.strip_offsets, ours.strip_offsets[1:], strict=False)]
    assert [strip.payload + strip.check.to_bytes(4, "little") for strip in theirs.strips] == ends
    check_parameter(theirs, ours)


def items_of(parsed: Any) -> list[tuple[int, int, bytes]]:
    if not parsed.has_metadata:
        return []
    return [
        (getattr(item.kind, "value", item.kind), item.content_bytes.value, item.stored_content)
        for item in parsed.metadata.items
    ]


def check_parameter(theirs: Any, ours: kmcodec.Header) -> None:
    if ours.coding is kmcodec.Coding.PLAIN:
        assert theirs.bits_per_label == ours.parameter
        assert theirs.context_set is None
    else:
        chosen = Parameters(ContextSet(theirs.context_set), theirs.table_bits, theirs.is_sparse)
        assert int(chosen) == ours.parameter
        assert theirs.bits_per_label is None
