"""`kmcodec measure`: what it does, what it says, how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmcodec.measure import bench
from tests.command import BinaryRun, binary_kmcodec_here, heed_interrupts, kmcodec_here, terminal_output_of
from tests.test_cli import modules_loaded_by, text

QUICK = ("-k", "4,16", "--peers", "png8,jpeg", "--peer-quality", "30,80")


def measure_run(*arguments: object, cwd: Path, environment: dict[str, str] | None = None) -> BinaryRun:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"COLUMNS": "100", **(environment or {})}.items():
            patch.setenv(name, value)
        return binary_kmcodec_here("measure", *arguments, cwd=cwd)


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    """A folder with two small pictures."""
    Image.fromarray(photo[:80, :100]).save(tmp_path / "one.png")
    Image.fromarray(photo[100:170, 50:140]).save(tmp_path / "two.png")
    return tmp_path


def test_the_samples_are_measured_straight_away(tmp_path: Path) -> None:
    run = measure_run("--samples", *QUICK, cwd=tmp_path)
    assert (run.returncode, text(run.stderr)) == (0, "")
    assert "Means over 4 pictures" in text(run.stdout)
    assert "Bytes at equal quality, against kmcodec (BD-rate)" in text(run.stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_table_has_a_row_for_each_setting(folder: Path) -> None:
    run = measure_run("one.png", *QUICK, cwd=folder)
    assert run.returncode == 0
    rows = [line.split() for line in text(run.stdout).splitlines()]
    assert ["kmcodec", "K", "4"] in [row[:3] for row in rows]
    assert ["jpeg", "quality", "80"] in [row[:3] for row in rows]
    assert "one.png, 100 x 80" in text(run.stdout)


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_the_table_fits_the_terminal_and_names_what_does_not(folder: Path, width: int) -> None:
    run = measure_run("one.png", *QUICK, cwd=folder, environment={"COLUMNS": str(width)})
    lines = text(run.stdout).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text(run.stdout)
    assert ("Too narrow for" in text(run.stdout)) == (width < 120)


def test_all_outputs_agree(folder: Path) -> None:
    outputs = ("--csv", "o/a.csv", "--json", "o/a.json", "--plot", "o/a.svg", "--html", "o/a.html", "--files", "o/f")
    run = measure_run(".", *QUICK, *outputs, cwd=folder)
    assert (run.returncode, text(run.stderr)) == (0, "")
    records = json.loads((folder / "o/a.json").read_text(encoding="utf-8"))["records"]
    sizes = sorted(record["file_bytes"] for record in records)
    assert sizes == sorted(path.stat().st_size for path in (folder / "o/f").rglob("*.*") if path.is_file())
    assert len((folder / "o/a.csv").read_text(encoding="utf-8").splitlines()) == 13
    page = (folder / "o/a.html").read_text(encoding="utf-8")
    assert all(f'data-value="{size}"' in page for size in sizes)
    assert "<svg" in (folder / "o/a.svg").read_text(encoding="utf-8")
    assert f"o/a.html: {(folder / 'o/a.html').stat().st_size} bytes" in text(run.stdout)


def test_the_page_has_the_pictures_of_the_codecs_that_are_chosen(folder: Path) -> None:
    for views, shown in (("kmcodec", 2), ("jpeg,png8", 4), ("none", 0)):
        run = measure_run("one.png", *QUICK, "--html", "a.html", "--views", views, "--overwrite", cwd=folder)
        assert run.returncode == 0
        page = (folder / "a.html").read_text(encoding="utf-8")
        assert page.count('"figures":') == shown
        assert page.count('class="picture-data"') == (1 if shown else 0)


def test_any_codec_can_be_what_the_others_are_compared_with(folder: Path) -> None:
    run = measure_run("one.png", *QUICK, "--reference", "png8", cwd=folder)
    assert "Bytes at equal quality, against png8 (BD-rate)" in " ".join(text(run.stdout).split())


def test_figures_taken_from_a_file_need_nothing_but_the_pictures_of_the_page(folder: Path) -> None:
    for html in ([], ["--html", "a.html"]):
        run = measure_run("one.png", *QUICK, "--resume", "s.jsonl", *html, cwd=folder)
        assert run.returncode == 0
    assert len((folder / "s.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    assert (folder / "a.html").read_text(encoding="utf-8").count('"figures":') == 6


def test_standard_output_can_be_csv_or_json_alone(folder: Path) -> None:
    run = measure_run("one.png", *QUICK, "--json", "-", cwd=folder)
    assert len(json.loads(run.stdout)["records"]) == 6
    run = measure_run("one.png", *QUICK, "--csv", "-", cwd=folder)
    assert text(run.stdout).startswith("picture,picture_sha256,width")


def test_a_bad_picture_is_listed_in_the_end_and_the_rest_is_measured(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"\x89PNG not")
    run = measure_run("bad.png", "gone*.png", "one.png", *QUICK, cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).splitlines() == [
        "kmcodec: error: bad.png: not an image that Pillow can read, or damaged",
        "kmcodec: error: gone*.png: No such file or directory",
        "kmcodec: error: 2 failed:",
        "  bad.png: not an image that Pillow can read, or damaged",
        "  gone*.png: No such file or directory",
    ]
    assert "one.png, 100 x 80" in text(run.stdout)


def test_a_missing_peer_is_named(folder: Path) -> None:
    run = measure_run("one.png", "-k", 4, "--peers", "jxl,png8", cwd=folder, environment={"PATH": "/nowhere"})
    assert run.returncode == 0
    assert text(run.stderr).splitlines() == [
        "kmcodec: warning: jxl is missing: the program cjxl (libjxl) is not on the PATH;"
        " the program djxl (libjxl) is not on the PATH"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name pictures to measure, or use --samples"),
        (["one.png", "-k", "4;8"], "'4;8' is not whole numbers between commas"),
        (["one.png", "-k", "0"], "colors must be from 1 to 65536, not 0"),
        (["one.png", "-k", "4", "--quality", "50"], "--quality chooses colours and λ"),
        (["one.png", "--peers", "gif"], "there is no peer 'gif'"),
        (["one.png", "--metrics", "vmaf"], "there is no metric 'vmaf'"),
        (["one.png", "--plot", "a.pdf"], "--plot needs a name that ends in .png or .svg"),
        (["one.png", "--csv", "-", "--json", "-"], "cannot both be standard output"),
        (["one.png", "--csv", "a", "--json", "./a"], "./a cannot be two outputs at once"),
        (["one.png", "--csv", "a", "--resume", "a"], "a cannot be two outputs at once"),
        (["one.png", "--html", "-"], "need the name of a file"),
        (["one.png", "--views", "png8"], "--views needs --html"),
        (["one.png", "--html", "a", "--views", "gif"], "--views names 'gif', which is not measured"),
        (["one.png", "--reference", "gif"], "--reference names 'gif', which is not measured"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(folder: Path, arguments: list[str], message: str) -> None:
    run = measure_run(*arguments, cwd=folder)
    assert run.returncode == 2
    assert text(run.stderr).splitlines()[-1].startswith("kmcodec: error: ")
    assert message in text(run.stderr)
    assert "Traceback" not in text(run.stderr)


def test_a_file_that_exists_is_found_before_the_work(folder: Path) -> None:
    (folder / "a.csv").write_text("old")
    run = measure_run("one.png", *QUICK, "--csv", "a.csv", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: a.csv: exists already; --overwrite replaces it\n"
    assert run.stdout == b""
    assert (folder / "a.csv").read_text() == "old"


@pytest.mark.parametrize("option", ["--csv", "--json", "--plot", "--html", "--resume"])
@pytest.mark.parametrize("name", ["one.png", "./one.png", "symbolic.png", "hard.png"])
def test_a_picture_that_is_measured_is_not_overwritten(folder: Path, option: str, name: str) -> None:
    before = (folder / "one.png").read_bytes()
    (folder / "symbolic.png").symlink_to("one.png")
    (folder / "hard.png").hardlink_to(folder / "one.png")
    run = kmcodec_here("measure", "one.png", *QUICK, option, name, "--overwrite", cwd=folder)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"kmcodec: error: {name}: is an input, and not overwritten\n"
    assert (folder / "one.png").read_bytes() == (folder / "symbolic.png").read_bytes() == before


def test_a_picture_of_a_folder_is_not_overwritten(folder: Path) -> None:
    run = kmcodec_here("measure", ".", *QUICK, "--plot", "two.png", "--overwrite", cwd=folder)
    assert (run.returncode, run.stderr) == (1, "kmcodec: error: two.png: is an input, and not overwritten\n")


def test_a_picture_is_not_overwritten_by_an_encoded_file_that_is_kept(folder: Path) -> None:
    options = ("-k", 4, "--peers", "png8", "--files", "kept")
    assert kmcodec_here("measure", "one.png", *options, cwd=folder).returncode == 0
    (picture,) = (folder / "kept/one.png").glob("*.png")
    before = picture.read_bytes()
    run = kmcodec_here("measure", "one.png", picture.relative_to(folder), *options, cwd=folder)
    assert run.returncode == 1
    assert run.stderr.endswith(f"{picture.relative_to(folder)}: is an input, and not overwritten\n")
    assert picture.read_bytes() == before


def test_a_report_that_cannot_be_written_does_not_cost_the_others(folder: Path) -> None:
    run = measure_run("one.png", *QUICK, "--csv", "/dev/full", "--json", "a.json", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: /dev/full: No space left on device\n"
    assert len(json.loads((folder / "a.json").read_text(encoding="utf-8"))["records"]) == 6


def test_what_is_measured_is_reported_even_if_it_cannot_be_kept(folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "kept/one.png").write_text("in the way of a folder")
    run = measure_run("one.png", *QUICK, "--files", "kept", "--json", "a.json", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: kept/one.png: is a file, not a folder\n"
    assert len(json.loads((folder / "a.json").read_text(encoding="utf-8"))["records"]) == 1


@pytest.mark.parametrize("name", ["/dev/full", "."])
def test_a_file_to_resume_from_must_be_one_that_can_be_written(folder: Path, name: str) -> None:
    run = measure_run("one.png", *QUICK, "--resume", name, cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).startswith(f"kmcodec: error: {name}: ")
    assert len(text(run.stderr).splitlines()) == 1


def test_the_folder_of_a_file_to_resume_from_is_made(folder: Path) -> None:
    run = kmcodec_here("measure", "one.png", "-k", 4, "--peers", "none", "--resume", "new/s.jsonl", cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert (folder / "new/s.jsonl").exists()


def test_a_file_to_resume_from_that_is_something_else_is_named(folder: Path) -> None:
    run = measure_run("one.png", *QUICK, "--resume", "two.png", cwd=folder)
    assert run.returncode == 1
    message = "kmcodec: error: two.png: line 1 is no record of a sweep: name another file, or delete it\n"
    assert text(run.stderr) == message


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("skimage", [], "SSIM needs scikit-image; install it with: pip install 'kmcodec[measure]'"),
        (
            "scipy",
            ["--metrics", "ssimulacra2"],
            "SSIMULACRA2 needs SciPy; install it with: pip install 'kmcodec[measure]'",
        ),
        ("matplotlib", ["--plot", "a.png"], "plots need matplotlib; install it with: pip install 'kmcodec[measure]'"),
    ],
)
def test_a_missing_extra_is_one_sentence(folder: Path, module: str, arguments: list[str], message: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None; from kmcodec.cli import main;"
        f" main({['measure', 'one.png', *QUICK, *arguments]!r})"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=False)
    assert run.returncode == 1
    assert text(run.stderr) == f"kmcodec: error: {message}\n"


def test_psnr_alone_needs_no_extra(folder: Path) -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(['skimage', 'scipy', 'matplotlib', 'oxipng']));"
        f" from kmcodec.cli import main; main({['measure', 'one.png', *QUICK, '--metrics', 'psnr']!r})"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, check=False)
    assert (run.returncode, text(run.stderr)) == (0, "")


def test_the_libraries_are_loaded_only_to_measure() -> None:
    assert not {"skimage", "scipy", "matplotlib", "numpy", "PIL"} & modules_loaded_by("--version")
    assert not {"skimage", "scipy", "matplotlib", "numpy", "PIL"} & modules_loaded_by("measure", "--help")


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_done_and_the_command_goes_on_as_it_says(folder: Path, jobs: int) -> None:
    arguments = ["one.png", "two.png", *QUICK, "--resume", "s.jsonl", "--json", "a.json", "--jobs", str(jobs)]
    slow = "import time; from kmcodec.measure import bench; from kmcodec.cli import main; run = bench._Workpiece.run;"
    slow += "bench._Workpiece.run = lambda *a: (time.sleep(0.3), run(*a))[1];"
    command = [sys.executable, "-c", f"{slow} main({['measure', *arguments]!r})"]
    if jobs == 2:  # in its own processes nothing can be made slow, so that there must be more to do
        command = [sys.executable, "-m", "kmcodec", "measure", *arguments, "--metrics", "all", "-e", "9"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts
    )
    state = folder / "s.jsonl"
    end = time.monotonic() + 60
    while time.monotonic() < end and (not state.exists() or state.read_bytes().count(b"\n") < 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, text(said)
    done = len(state.read_text(encoding="utf-8").splitlines())
    assert 2 <= done < 12
    assert text(said) == (
        f"kmcodec: error: interrupted: {done} of 12 points are measured and kept in s.jsonl;"
        " the same command with --overwrite goes on\n"
    )
    assert len(json.loads((folder / "a.json").read_text(encoding="utf-8"))["records"]) == done
    extra = ["--metrics", "all", "-e", "9"] if jobs == 2 else []
    run = measure_run(*arguments, *extra, "--overwrite", cwd=folder)
    assert run.returncode == 0
    records = json.loads((folder / "a.json").read_text(encoding="utf-8"))["records"]
    assert len(records) == 12
    lines = [json.loads(line)["record"] for line in state.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 12  # nothing was measured twice
    assert all(line in records for line in lines)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--resume", "s.jsonl"], "kept in s.jsonl; the same command goes on"),
        (["--resume", "s.jsonl", "--csv", "a.csv"], "kept in s.jsonl; the same command with --overwrite goes on"),
        (["--resume", "s.jsonl", "--csv", "a.csv", "--overwrite"], "kept in s.jsonl; the same command goes on"),
        (["--csv", "a.csv"], "reported"),
    ],
)
def test_what_is_said_of_ctrl_c_is_what_has_to_be_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    run_once = bench._Workpiece.run

    def run_until_interrupted(self: bench._Workpiece, task: bench.Task) -> bench.Outcome:
        if task.point.setting == "K 16":
            raise KeyboardInterrupt
        return run_once(self, task)

    command = ["measure", "one.png", "-k", "4,16", "--peers", "none", *options]
    with monkeypatch.context() as patch:
        patch.setattr(bench._Workpiece, "run", run_until_interrupted)
        run = kmcodec_here(*command, cwd=folder)
    assert run.returncode == 130
    assert run.stderr.splitlines()[-1] == f"kmcodec: error: interrupted: 1 of 2 points are measured and {says}"
    again = [*command, "--overwrite"] if "with --overwrite" in says else command
    if "goes on" in says:
        assert kmcodec_here(*again, cwd=folder).returncode == 0


def test_the_bar_tells_what_is_done_and_the_time_left(folder: Path) -> None:
    output = terminal_output_of(["measure", "one.png", *QUICK], folder, columns=100)
    assert "6/6" in output
    assert re.search(r"\d:\d\d:\d\d", output)
    assert re.search(r"one\.png: (jpeg|png8|kmcodec), ", output)
