"""A cluster of Dask: a scheduler and two workers, each a process of its own, one of which is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmcodec
from kmcodec.batch import EncodeSettings, Job, encode_many
from kmcodec.batch.cluster import ClusterError, connected
from tests.command import kmcodec_here, kmcodec_run

pytestmark = pytest.mark.filterwarnings("default")  # distributed leaves sockets to be collected


@dataclass(frozen=True)
class _Cluster:
    address: str
    scheduler: subprocess.Popen[str]
    workers: list[subprocess.Popen[str]]


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s"}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[_Cluster]:
    scheduler = start(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    processes = [scheduler]
    try:
        assert scheduler.stderr is not None
        address = next(match[0] for line in scheduler.stderr if (match := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        processes += [start(tmp_path, "worker", address, *options) for _ in range(2)]
        yield _Cluster(address, scheduler, processes[1:])
    finally:
        for process in processes[::-1]:
            process.kill()
            process.communicate()


@pytest.fixture
def pictures(tmp_path: Path, photo: np.ndarray) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(24):
        Image.fromarray(photo[8 * number : 8 * number + 24, :32]).save(folder / f"{number:02}.png")
    return folder


def test_a_cluster_that_loses_a_worker_loses_no_file(cluster: _Cluster, pictures: Path, tmp_path: Path) -> None:
    settings = EncodeSettings(colors=4)
    jobs = [Job(str(path), str(tmp_path / f"out/{path.stem}.kmc"), settings, True) for path in pictures.iterdir()]
    with connected(cluster.address, seconds=60) as found:
        outcomes = encode_many(jobs, executor=found.executor, window=6)
        with closing(outcomes):  # type: ignore[type-var]
            done = [next(outcomes) for _ in range(4)]
            cluster.workers[0].send_signal(signal.SIGKILL)
            done += outcomes
    assert sorted(one.source for one in done) == sorted(job.source for job in jobs)
    assert {one.status for one in done} == {"done"}
    for one in done:
        assert Path(one.target).read_bytes() == kmcodec.encode(Image.open(one.source), 4)


def test_the_command_does_on_a_cluster_what_it_does_here(cluster: _Cluster, pictures: Path, tmp_path: Path) -> None:
    """Every file, with one palette for all of them, in one process and on the cluster: byte for byte."""
    arguments = ("encode", "in", "--shared-palette", "-k", 9)
    run = kmcodec_run(*arguments, "-d", "far", "--dask", cluster.address, "--log", "log.jsonl", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("24 encoded; ")
    kmcodec_here(*arguments, "-d", "here", "-j", 1, cwd=tmp_path)
    far, here = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("far", "here"))
    assert far == here
    whole = np.concatenate([np.asarray(Image.open(path)) for path in sorted(pictures.iterdir())])
    with kmcodec.open(tmp_path / "far/00.kmc") as file:
        assert file.palette.tobytes() == kmcodec.quantize(whole, 9).palette.tobytes()
    again = kmcodec_run(
        *(*arguments, "-d", "far", "--dask", cluster.address, "--log", "log.jsonl", "--resume"), cwd=tmp_path
    )
    assert again.stdout == "0 encoded, 24 done before\n"


def test_a_scheduler_that_goes_away_is_said_and_the_log_can_be_used(
    cluster: _Cluster, pictures: Path, tmp_path: Path
) -> None:
    for number in range(100, 140):
        (pictures / f"{number}.png").write_bytes((pictures / "00.png").read_bytes())
    command = ["encode", "in", "-d", "out", "-j", "1", "--log", "log.jsonl", "-k", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kmcodec", *command[:4], "--dask", cluster.address, *command[6:]],
        cwd=tmp_path,
        env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not ((tmp_path / "log.jsonl").exists() and (tmp_path / "log.jsonl").stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    cluster.scheduler.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "kmcodec: error: the workers are gone"
    run = kmcodec_here(*command, "--resume", cwd=tmp_path)
    assert run.returncode == 0
    assert len(list((tmp_path / "out").iterdir())) == 64


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere://x", "foo bar"])
def test_where_no_scheduler_answers_that_is_said(address: str) -> None:
    with (
        pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}: "),
        connected(address, seconds=0.5),
    ):
        pass


def test_where_distributed_is_missing_the_command_to_install_it_is_said(
    tmp_path: Path, photo_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    run = kmcodec_here("encode", photo_file, "-d", "out", "--dask", "tcp://127.0.0.1:9", cwd=tmp_path)
    says = "a cluster needs distributed; install it with: pip install 'kmcodec[dask]'"
    assert (run.returncode, run.stderr) == (1, f"kmcodec: error: {says}\n")
