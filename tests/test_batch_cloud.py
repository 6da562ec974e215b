"""Files behind URLs: a server that speaks S3, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import s3fs
from PIL import Image

import kmcodec
from tests.command import Run, kmcodec_run

pytestmark = pytest.mark.filterwarnings("default")  # botocore and aiohttp have their own


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The environment in which it is found."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        url = next(match[0] for line in process.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
        yield {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "name",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def bucket(server: dict[str, str], photo: np.ndarray, tmp_path: Path) -> Iterator[s3fs.S3FileSystem]:
    """A new file system, with a bucket of pictures and a file of another kind."""
    system = s3fs.S3FileSystem(
        key="name", secret="secret", endpoint_url=server["AWS_ENDPOINT_URL"], use_listings_cache=False
    )
    system.mkdir("bucket")
    for number, name in enumerate(("a.png", "sub/b c.png")):
        Image.fromarray(photo[30 * number : 30 * number + 24, :32]).save(tmp_path / "picture.png")
        system.pipe(f"bucket/in/{name}", (tmp_path / "picture.png").read_bytes())
    system.pipe("bucket/in/notes.txt", b"no picture")
    yield system
    system.rm("bucket", recursive=True)


@pytest.fixture
def run_there(server: dict[str, str], tmp_path: Path) -> Callable[..., Run]:
    def run(*arguments: object) -> Run:
        return kmcodec_run(*arguments, cwd=tmp_path, environment=server)

    return run


def test_a_folder_behind_a_url_keeps_its_tree_there_and_back(
    bucket: s3fs.S3FileSystem, run_there: Callable[..., Run], tmp_path: Path
) -> None:
    run = run_there("encode", "s3://bucket/in/", "-d", "s3://bucket/out", "-r", "-k", 4, "-j", 2)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("2 encoded; ")
    assert sorted(bucket.find("bucket/out")) == ["bucket/out/a.kmc", "bucket/out/sub/b c.kmc"]
    run = run_there("decode", "s3://bucket/out", "-d", "again", "-r", "-j", 1)
    assert (run.returncode, run.stderr) == (0, "")
    for name in ("a", "sub/b c"):
        data = bucket.cat(f"bucket/out/{name}.kmc")
        with bucket.open(f"bucket/in/{name}.png") as file:
            assert data == kmcodec.encode(Image.open(file), 4)
        with Image.open(tmp_path / f"again/{name}.png") as image:
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), kmcodec.decode(data))


def test_urls_that_exist_stay_and_a_log_tells_what_is_done(
    bucket: s3fs.S3FileSystem, run_there: Callable[..., Run]
) -> None:
    bucket.pipe("bucket/out/a.kmc", b"old")
    command = ("encode", "s3://bucket/in", "-d", "s3://bucket/out/", "-r", "-k", 4, "-j", 1, "--log", "log.jsonl")
    run = run_there(*command)
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: s3://bucket/out/a.kmc: exists already; --overwrite replaces it\n")
    assert bucket.cat("bucket/out/a.kmc") == b"old"
    bucket.rm("bucket/out/a.kmc")
    run = run_there(*command, "--resume")
    assert run.stdout.splitlines()[-1].startswith("1 encoded, 1 done before; ")


def test_a_bucket_that_is_not_there_is_said_and_not_made(
    bucket: s3fs.S3FileSystem, run_there: Callable[..., Run]
) -> None:
    run = run_there("encode", "s3://missing/in/", "-d", "out")
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: s3://missing/in/: No such file or directory\n")
    run = run_there("encode", "s3://bucket/in/a.png", "-o", "s3://missing/a.kmc")
    assert run.returncode == 1
    assert re.fullmatch(r"kmcodec: error: s3://missing/a\.kmc: .*bucket.*\n|.*No such file or directory\n", run.stderr)
    assert bucket.ls("") == ["bucket"]


def test_a_server_that_does_not_answer_is_said(tmp_path: Path) -> None:
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "n", "AWS_SECRET_ACCESS_KEY": "s"}
    run = kmcodec_run(
        *("encode", "s3://bucket/a.png", "-o", "a.kmc"),
        cwd=tmp_path,
        environment={**environment, "AWS_MAX_ATTEMPTS": "1"},
    )
    assert run.returncode == 1
    assert run.stderr == (
        'kmcodec: error: s3://bucket/a.png: Could not connect to the endpoint URL: "http://127.0.0.1:9/bucket/a.png"\n'
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, "403, message='Forbidden'"), (404, "No such file or directory"), (500, "500, message='Internal Server")],
)
def test_what_a_web_server_answers_is_said(tmp_path: Path, status: int, reason: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def do_HEAD(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.png"
        run = kmcodec_run("encode", url, "-o", "a.kmc", cwd=tmp_path)
        server.shutdown()
    assert run.returncode == 1
    assert run.stderr.startswith(f"kmcodec: error: {url}: {reason}")


def test_a_web_server_that_hangs_up_is_said(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.png"
        run = kmcodec_run("encode", url, "-o", "a.kmc", cwd=tmp_path)
        server.shutdown()
    assert (run.returncode, run.stderr) == (1, f"kmcodec: error: {url}: Server disconnected\n")


def test_a_web_server_that_does_not_answer_is_said(tmp_path: Path) -> None:
    run = kmcodec_run("encode", "http://127.0.0.1:9/a.png", "-o", "a.kmc", cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: http://127.0.0.1:9/a.png: Connect call failed")


def test_names_of_urls_that_lead_out_of_the_folder_to_write_to_are_refused(
    bucket: s3fs.S3FileSystem, run_there: Callable[..., Run], tmp_path: Path
) -> None:
    bucket.pipe("bucket/in/../../x.png", bucket.cat("bucket/in/a.png"))
    run = run_there("encode", "s3://bucket/in/", "-d", "out/deep", "-r", "-k", 4, "-j", 1)
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: s3://bucket/in/..: its name leads out of its folder\n")
    assert sorted(path.name for path in tmp_path.rglob("*.kmc")) == ["a.kmc", "b c.kmc"]
