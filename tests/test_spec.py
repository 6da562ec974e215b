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


def test_the_test_values_of_lines_are_those_of_the_reference_decoder() -> None:
    key, later = 0x12345678, 0x12345678 + 5 * reference_decoder.M[4]
    hashed = reference_decoder.hashed
    model = model_at([[0, 0, 5, 3]], [(i, i, i) for i in range(17)], 0x40)
    context = (reference_decoder.W, reference_decoder.WW)
    assert {
        "step 0, t = 12": f"{hashed(key, 12)}",
        "a later step, prefix 5, t = 12": f"{hashed(later, 12)}",
        "a later step, prefix 5, t = 18": f"{hashed(later, 18)}",
        "key": f"{model.key(context)}",
        "step 0": f"{model.line(context, 1)}",
        "step 1, prefix 11": f"{model.line(context, 11)}",
    }.items() <= set(values())


def test_the_test_values_of_keys_are_those_of_the_reference_decoder() -> None:
    rows = [[8 * (dy + 3) + dx + 5 for dx in range(-4, 4)] for dy in range(0, -4, -1)]
    model = model_at(rows, [(i, i, i) for i in range(29)], 4)
    around = (reference_decoder.W, reference_decoder.N, reference_decoder.NW, reference_decoder.NE)
    assert {
        "template10": f"0x{model.key('template10'):08X}",
        "template19": f"0x{model.key('template19'):08X}",
        "(W, N, NW, NE), hashed": f"0x{model.key(around):08X}",
    }.items() <= set(values())


@pytest.mark.parametrize("alpha", [(), (128, 255, 0, 254)])
def test_the_test_values_of_colours_are_those_of_the_reference_decoder(alpha: tuple[int, ...]) -> None:
    colors = [(200, 100, 50), (180, 120, 60), (190, 110, 55), (170, 130, 70)]
    palette = [(*color, a) for color, a in zip(colors, alpha, strict=True)] if alpha else colors
    model = model_at([[0, 0, 0, 0], [0, 0, 0, 2, 1, 3]], palette, 2)
    model.look_at_colors()
    west, north, north_west, north_east = (tuple(color) for color in model.colors)
    assert {
        "W, N": f"{west}, {north}",
        "NW, NE": f"{north_west}, {north_east}",
        "four, activity": f"{tuple(model.four)}, {model.activity}",
        "colour4, colour5": f"0x{model.key('colour4'):X}, 0x{model.key('colour5'):X}",
    }.items() <= set(values())


def test_the_test_values_of_planes_are_those_of_the_reference_decoder() -> None:
    palette = [[0, 0, 0], [10, 20, 30], [200, 10, 60], [255, 250, 245], [90, 80, 7]]
    planes = reference_decoder.dividing_planes(palette, 3)
    found = {name[0]: value for name, value in values() if re.match("[1-6]: label", name)}
    assert found == {
        f"{path}": f"{tuple(planes[path][0])}, {planes[path][1]}".replace("-", "−") for path in range(1, 7)
    }


@pytest.mark.parametrize("d", [0, 100, 1000, 7423, 7424, 8191])
def test_the_test_values_of_errors_are_those_of_the_reference_decoder(d: int) -> None:
    right, wrong = reference_decoder.error(d, 1), -reference_decoder.error(d, 0)
    row = re.search(rf"^    {d} +(\d+), (\d+) +(\d+), (\d+)$", section("15.3"), re.MULTILINE)
    assert row is not None
    u_right, e_right, u_wrong, e_wrong = map(int, row.groups())
    assert (u_right >> 1, u_wrong >> 1) == (e_right, e_wrong) == (right, wrong)
    squared = (65535 - 8 * d) ** 2 >> 16
    assert (u_right, u_wrong) == (squared**2 >> 17, 65535 - (squared**2 >> 17))


@pytest.mark.parametrize(("ones", "forms"), [({0, 2, 3, 6}, (1, 2, 3)), ({0, 32, 95}, (3, 4, 5))])
def test_the_test_values_of_streams_are_what_the_reference_decoder_reads(ones: set[int], forms: tuple[int]) -> None:
    groups = re.findall(r"(?:^    form \d  .*\n)+", section("15.3"), re.MULTILINE)
    found = [re.findall(r"form (\d) +([0-9A-F ]+)", group) for group in groups]
    read = [
        {int(form): reference_decoder.decode_stream(int(form), bytes.fromhex(data), 1000) for form, data in group}
        for group in found
    ]
    assert dict.fromkeys(forms, ones) in read


def test_rates_stop_where_the_specification_says() -> None:
    for first, least, last in ((10_000, 1000, 1061), (20_000, 1600, 1639)):
        cell = reference_decoder.Cell(0, first)
        for _ in range(1000):
            cell.learn(0, least)
        assert cell.rate == last
        assert f"{last}" in section("8.6")


def section(number: str) -> str:
    return re.split(r"\n##", TEXT.partition(f"## {number}. ")[2])[0]


def values() -> list[tuple[str, str]]:
    """Names and values of section 15.3."""
    return re.findall(r"^    (\S.*?)  +(\S.*)$", section("15.3"), re.MULTILINE)


def model_at(rows: list[list[int]], palette: list[tuple[int, ...]], parameter: int) -> Any:
    """The reference decoder's model, before a pixel: its row and the three above, from 4 places on its left."""
    model = reference_decoder.Model(8, palette, parameter)
    model.x = 0
    model.rows = [(row + [0] * 15)[:15] for row in [*rows, [], [], []][:4]]
    return model


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
