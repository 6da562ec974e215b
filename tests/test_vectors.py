"""Every vector of spec/vectors, by every decoder there is."""

from __future__ import annotations

import hashlib
import json
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import kmcodec
from kmcodec import errors
from kmcodec.format.prediction import kernel
from tests.specification import VECTORS, load, manifest, reference_decoder, vector

VALID, INVALID = manifest()["valid"], manifest()["invalid"]

BROKEN_ALONE = {
    *("R2", "R4", "R14", "R19", "R20", "R22", "R24", "R28", "R29"),
    *("R31", "R32", "R34", "R35", "R36", "R39", "R41", "R42"),
}
"""Rules that the reference decoder can do without, so that it shows that their vectors have no other fault."""


def is_small_and_predicted(entry: dict[str, Any]) -> bool:
    header = kmcodec.KmcFile(BytesIO(vector(entry))).header
    return header.coding is kmcodec.Coding.PREDICTED and header.pixels <= 300 and header.colors <= 9000


def is_large(entry: dict[str, Any]) -> bool:
    """Those that take the reference decoder seconds; tests/bench/reference.py decodes them by it."""
    header = kmcodec.KmcFile(BytesIO(vector(entry))).header
    return header.pixels > (40_000 if header.coding is kmcodec.Coding.PREDICTED else 1_000_000)


valid = pytest.mark.parametrize("entry", VALID, ids=lambda entry: entry["name"])
invalid = pytest.mark.parametrize("entry", INVALID, ids=lambda entry: entry["name"])


def test_there_are_vectors() -> None:
    assert VALID
    assert INVALID


@pytest.mark.parametrize(("folder", "entries"), [("valid", VALID), ("invalid", INVALID)])
def test_manifest_and_folder_have_the_same_files(folder: str, entries: list[dict[str, Any]]) -> None:
    names = [entry["name"] for entry in entries]
    assert sorted(path.stem for path in (VECTORS / folder).glob("*.kmc")) == sorted(names)
    assert len(set(names)) == len(names)
    assert {path.stem for path in (VECTORS / folder).glob("*.pam")} <= set(names)
    assert {path.suffix for path in (VECTORS / folder).iterdir()} <= {".kmc", ".pam"}


def test_the_legend_of_the_manifest_explains_every_field() -> None:
    whole = json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8"))
    explained = {field for fields in whole["legend"] for field in fields.split(", ")}
    fields = {field for part in ("valid", "invalid") for entry in whole[part] for field in entry}
    assert explained == fields | {"valid", "invalid"}


@valid
def test_kmcodec_decodes_it(entry: dict[str, Any]) -> None:
    pixels = kmcodec.decode(vector(entry))
    assert pixels.shape == (entry["height"], entry["width"], entry["channels"])
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["samples_sha256"]


@pytest.mark.parametrize(
    "entry",
    [entry for entry in VALID if not is_large(entry)],
    ids=lambda entry: entry["name"],
)
def test_the_reference_decoder_decodes_it(entry: dict[str, Any]) -> None:
    picture = reference_decoder.decode(vector(entry))
    assert hashlib.sha256(picture.samples()).hexdigest() == entry["samples_sha256"]
    assert {str(kind): content.hex() for kind, content in picture.metadata.items()} == entry["metadata"]


@pytest.mark.parametrize(
    "entry",
    [entry for entry in VALID if is_small_and_predicted(entry)],
    ids=lambda entry: entry["name"],
)
def test_kmcodec_without_a_compiler_decodes_it(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_compiled", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that it is slow
        pixels = kmcodec.decode(vector(entry))
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["samples_sha256"]


@pytest.mark.parametrize("path", sorted(VECTORS.glob("valid/*.pam")), ids=lambda path: path.stem)
def test_the_picture_beside_it_has_the_expected_samples(path: Path) -> None:
    (entry,) = [entry for entry in VALID if entry["name"] == path.stem]
    head, _, samples = path.read_bytes().partition(b"ENDHDR\n")
    fields = dict(line.split(maxsplit=1) for line in head.decode().splitlines()[1:])
    assert [int(fields[name]) for name in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")] == [
        entry["width"],
        entry["height"],
        entry["channels"],
        255,
    ]
    assert hashlib.sha256(samples).hexdigest() == entry["samples_sha256"]


@valid
def test_its_metadata_is_what_was_stored(entry: dict[str, Any]) -> None:
    metadata = kmcodec.loads(vector(entry)).metadata
    found = {"1": metadata.icc, "2": metadata.exif, "3": metadata.xmp}
    assert {kind: content.hex() for kind, content in found.items() if content is not None} == {
        kind: content for kind, content in entry["metadata"].items() if kind < "4"
    }
    text = bytes.fromhex(entry["metadata"].get("4", "")).decode()
    assert "\0".join(part for pair in metadata.text for part in pair) == text
    assert (metadata.dpi is not None) == ("5" in entry["metadata"])


@invalid
def test_kmcodec_rejects_it_with_the_class_named(entry: dict[str, Any]) -> None:
    with pytest.raises(errors.DecodeError) as caught:
        kmcodec.decode(vector(entry))
    assert type(caught.value).__name__ == entry["error"]


@invalid
def test_the_reference_decoder_rejects_it_by_the_rule_named(entry: dict[str, Any]) -> None:
    with pytest.raises(reference_decoder.DecodeError) as caught:
        reference_decoder.decode(vector(entry))
    assert type(caught.value).__name__ == entry["error"]
    assert entry["rule"] in str(caught.value).partition(": ")[0].split(", ")


@pytest.mark.parametrize(
    "entry",
    [entry for entry in INVALID if entry["rule"] in BROKEN_ALONE and "also" not in entry],
    ids=lambda entry: entry["name"],
)
def test_a_decoder_without_the_rule_accepts_it(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def require(condition: bool, rule: str) -> None:
        if not condition and entry["rule"] not in rule.partition(": ")[0].split(", "):
            raise reference_decoder.FormatError(rule)

    monkeypatch.setattr(reference_decoder, "require", require)
    reference_decoder.decode(vector(entry))


@pytest.mark.parametrize(
    "entry",
    [entry for entry in INVALID if entry["name"][1:3] in {"33", "34", "35", "36", "37", "38", "39", "40", "41", "42"}],
    ids=lambda entry: entry["name"],
)
def test_kmcodec_without_a_compiler_rejects_it(entry: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_compiled", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(errors.FormatError):
            kmcodec.decode(vector(entry))


def test_the_generator_makes_what_is_there(tmp_path: Path) -> None:
    load(VECTORS / "generate.py").write(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    there = {path.relative_to(VECTORS): path.read_bytes() for path in VECTORS.rglob("*") if path.is_file()}
    programs = {Path(name) for name in ("README.md", "compress.py", "frames.json", "generate.py")}
    assert made == {
        path: data for path, data in there.items() if path not in programs and "__pycache__" not in str(path)
    }
