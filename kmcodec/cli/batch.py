"""Files in, files out: how `encode` and `decode` go about one file or very many, and what they say about it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import click

from kmcodec import jsonlines
from kmcodec.batch.jobs import Job, Outcome, failed
from kmcodec.batch.log import History, Remembered, read_log
from kmcodec.cli.console import FilesBar, files_bar, say, say_error, say_warning
from kmcodec.cli.jobs import STDIO, Failure, Plan, StandardStreams, failures_of, shown_input, shown_output, with_hint
from kmcodec.files import FileVersion, check_target, exists, is_under_a_file, is_url, version_of
from kmcodec.sentences import printable, sentence_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from kmcodec.batch.settings import DecodeSettings, EncodeSettings

_INTERRUPTED = 130
_FEW_FILES = 8
"""Of which work is not spread over processes unless asked to: starting them takes half a second."""
_MOST_FAILURES_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was given on the command line about the run, as click names it."""

    jobs: int | None
    log: str | None
    resume: bool
    retry_failed: bool
    dry_run: bool
    fail_fast: bool
    quiet: bool
    as_json: bool
    dask: str | None
    threads: int | None
    shared_palette: bool = False

    def check(self, plan: Plan) -> None:
        """Raise click.UsageError for options that make no sense together."""
        if (self.resume or self.retry_failed) and self.log is None:
            raise click.UsageError(
                f"--{'resume' if self.resume else 'retry-failed'} needs the log of the run to go on with: --log F.jsonl"
            )
        if self.log == "":
            raise click.UsageError("--log needs a name, not an empty one")
        if self.log is not None and plan.names(self.log):
            raise click.UsageError(f"{shown_output(self.log)} cannot be the log: it is a file to be read or written")
        if self.dask == "":
            raise click.UsageError("--dask needs the address of a scheduler, not an empty one")
        if self.dask is not None and self.jobs is not None:
            raise click.UsageError("--dask and --jobs exclude each other: the cluster has its own number of workers")
        if plan.uses_stdio and (self.dask is not None or self.shared_palette):
            option = "--dask" if self.dask is not None else "--shared-palette"
            raise click.UsageError(f"{option} needs the names of files: - is standard input or output")


OPTION_NAMES = tuple(field.name for field in fields(Options))


@dataclass(frozen=True)
class Work:
    """
    What is done with each file.

    Attributes:
        verb: Such as "encode".
        past: Such as "encoded".
        work: Does a job, in any process.
        work_here: Does one in this process, with standard input and output, and shows its steps.
        line: What is printed of a file that is done.
    """

    verb: str
    past: str
    work: Callable[[Job[Any]], Outcome]
    work_here: Callable[[Job[Any]], Outcome]
    line: Callable[[Outcome], str]


STREAMS = StandardStreams()


def run(plan: Plan, settings: EncodeSettings | DecodeSettings, options: Options, work: Work) -> None:
    """
    Do all files of a plan and report on each; one that fails does not stop the others.

    Args:
        plan: The files.
        settings: How they are to be encoded or decoded.
        options: How to go about it.
        work: What is done.

    Raises:
        click.UsageError: Options make no sense.
        Failure: It cannot begin, or not go on.
        SystemExit: With 1 in the end if a file failed, with 130 when Ctrl-C was pressed.
    """
    options.check(plan)
    is_batch = bool(plan.folders or options.log or options.dask or options.shared_palette)
    report = _Report(work, options, is_batch=is_batch)
    history = _history(options)
    try:
        with ExitStack() as stack:
            if options.log is not None and not options.dry_run:
                with failures_of(options.log):
                    report.append = stack.enter_context(jsonlines.appending(options.log))
            workers = stack.enter_context(_workers(plan, options))
            settings = replace(settings, threads=workers.threads)
            bar = stack.enter_context(nullcontext(FilesBar()) if options.quiet else files_bar(plan.total))
            stack.enter_context(_counting(plan, bar))
            if options.shared_palette:
                settings = _with_shared_palette(plan, settings, workers, bar)
            jobs = _jobs(plan, settings, history, options, report)
            _work_off(jobs, workers, work, options, report, bar)
    except Failure:
        report.finish()
        raise
    except KeyboardInterrupt:
        if not is_batch and (plan.total or 0) <= _FEW_FILES:
            raise
        report.finish()
        hint = "the same command with --resume goes on" if options.log else "with --log it could be resumed"
        say_error(f"interrupted: {report.done} files are {work.past}; {hint}")
        sys.exit(_INTERRUPTED)
    report.finish()
    if report.failed:
        sys.exit(1)


@dataclass(frozen=True)
class _Workers:
    """
    Attributes:
        executor: None for this process.
        window: Most jobs in flight.
        threads: That each file may use.
        are_far: Whether they are on other machines, or may be, where names are to be whole.
    """

    executor: Executor | None
    window: int
    threads: int | None
    are_far: bool = False


class _Report:
    """Says what comes of each file, and sums it up."""

    def __init__(self, work: Work, options: Options, *, is_batch: bool) -> None:
        self._work, self._options, self._is_batch = work, options, is_batch
        self.append: Callable[[object], None] = lambda _: None
        self.is_stopping = False
        self.done = self.failed = 0
        self._before = self._larger = self._others = 0
        self._source_bytes = self._target_bytes = 0
        self._failures: list[str] = []

    def leave_out(self, count: int) -> None:
        """Count files of a folder that are none of the kind."""
        self._others += count

    def take(self, outcome: Outcome, bar: FilesBar) -> None:
        """Say what came of a file, and count it."""
        if isinstance(outcome, Remembered):
            self._take_remembered(outcome, bar)
            return
        for warning in outcome.warnings:
            say_warning(warning)
        saved = 0
        if outcome.status == "failed":
            say_error(self._fail(outcome))
        elif outcome.status == "skipped":
            self._larger += 1
            self._say(outcome, outcome.error or "")
        else:
            self.done += 1
            if self._options.dry_run:
                source, target = shown_input(outcome.source), shown_output(outcome.target)
                self._say(outcome, f"would {self._work.verb} {source} to {target}")
            else:
                saved = self._count_bytes(outcome)
                self._say(outcome, self._work.line(outcome))
        self._log(outcome)
        bar.finish_file(saved_bytes=saved)

    def finish(self) -> None:
        """Sum up, and name once more what failed."""
        if self._is_batch and not (self._options.quiet or self._options.as_json):
            say(self._summary())
        if self.failed and (self._is_batch or self.failed + self.done > _MOST_FAILURES_LISTED):
            say_error(f"{self.failed} failed:")
            for failure in self._failures:
                say(f"  {' '.join(failure.split())}", err=True)
            if self.failed > len(self._failures):
                where = f"; {self._options.log} has all" if self._options.log else "; --log would keep all"
                say(f"  and {self.failed - len(self._failures)} more{where}", err=True)

    def _take_remembered(self, outcome: Remembered, bar: FilesBar) -> None:
        if outcome.status == "failed":
            self._fail(outcome)
        else:
            self._before += 1
        bar.leave_out_file()

    def _fail(self, outcome: Outcome) -> str:
        error = with_hint(outcome.error or "")
        self.failed += 1
        if len(self._failures) < _MOST_FAILURES_LISTED:
            self._failures.append(error)
        return error

    def _log(self, outcome: Outcome) -> None:
        with failures_of(self._options.log or ""):
            self.append(outcome.as_json())

    def _count_bytes(self, outcome: Outcome) -> int:
        source, target = outcome.source_bytes or 0, outcome.target_bytes or 0
        self._source_bytes += source
        self._target_bytes += target
        return source - target

    def _say(self, outcome: Outcome, line: str) -> None:
        if self._options.quiet:
            return
        if self._options.as_json:
            planned = {"status": "planned"} if self._options.dry_run and outcome.status == "done" else {}
            line = json.dumps({**outcome.as_json(), **planned})
        say(line, err=outcome.target == STDIO)

    def _summary(self) -> str:
        parts = [f"{self.done} {'to ' + self._work.verb if self._options.dry_run else self._work.past}"]
        counts = {
            "would not be smaller": self._larger,
            "done before": self._before,
            "failed": self.failed,
        }
        parts += [f"{count} {what}" for what, count in counts.items() if count]
        text = ", ".join(parts)
        if self._source_bytes:
            share = self._target_bytes / self._source_bytes
            text += f"; {self._source_bytes} -> {self._target_bytes} bytes ({share:.1%})"
        if self._others:
            text += f"; left out {self._others} other file{'s' if self._others > 1 else ''}"
        return text


def _history(options: Options) -> History:
    if options.log is None or not (options.resume or options.retry_failed):
        return History()
    with failures_of(options.log):
        return read_log(options.log)


@contextmanager
def _workers(plan: Plan, options: Options) -> Iterator[_Workers]:
    if options.dask is not None:
        from kmcodec.batch.cluster import ClusterError, connected

        with ExitStack() as stack:
            _silence_loggers()
            try:
                cluster = stack.enter_context(connected(options.dask))
            except (ClusterError, ImportError) as error:
                raise Failure(str(error)) from error
            _silence_loggers()
            yield _Workers(cluster.executor, cluster.window, options.threads or 1, are_far=True)
        return
    count = _job_count(plan, options)
    if count == 1:
        yield _Workers(None, 1, options.threads)
        return
    from kmcodec.processes import Processes

    with Processes(count) as executor:
        yield _Workers(executor, 3 * count, options.threads or 1)


def _silence_loggers() -> None:
    """Of connections that break each logs tracebacks; what it means for a file is in its outcome."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("concurrent", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _job_count(plan: Plan, options: Options) -> int:
    if plan.uses_stdio or (options.dry_run and not options.shared_palette):
        return 1
    if options.jobs is None and not plan.folders and (plan.total or 0) <= _FEW_FILES:
        return 1
    from kmcodec.format.cores import available_cores

    count = options.jobs or available_cores()
    return count if plan.total is None else max(1, min(count, plan.total))


@contextmanager
def _counting(plan: Plan, bar: FilesBar) -> Iterator[None]:
    """Count files for the bar while the first of them are worked on."""
    if plan.total is not None or type(bar) is FilesBar or any(map(is_url, plan.folders)):
        yield
        return
    end = threading.Event()

    def count() -> None:
        total = 0
        with suppress(Exception):  # whoever lists the folder for its files will say so
            for _ in plan.pairs():
                total += 1
                if end.is_set():
                    return
            bar.count(total)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _with_shared_palette(plan: Plan, settings: Any, workers: _Workers, bar: FilesBar) -> EncodeSettings:
    from kmcodec.batch.palette import NoPictureError, shared_palette, with_palette

    def sources() -> Iterator[str]:
        for pair in plan.pairs():
            if pair.error is None:
                yield _whole(pair.source) if workers.are_far else pair.source

    bar.start_file("colours of all files")
    with failures_of("the shared palette"):
        try:
            palette = shared_palette(sources(), settings, executor=workers.executor, window=workers.window)
        except NoPictureError:  # encoding will say of each file why
            return cast("EncodeSettings", settings)
    return with_palette(settings, palette)


def _jobs(
    plan: Plan, settings: Any, history: History, options: Options, report: _Report
) -> Iterator[Job[Any] | Outcome]:
    is_far, may_be_done = options.dask is not None, options.resume or options.retry_failed or options.dask is not None
    for pair in plan.pairs(report.leave_out):
        if report.is_stopping:
            return
        source, target = (_whole(pair.source), _whole(pair.target)) if is_far else (pair.source, pair.target)
        job = Job(source, target, settings, may_be_done)
        if pair.error is not None:
            yield failed(job, pair.error)
        else:
            yield _remembered(job, history, options) or job


def _remembered(job: Job[Any], history: History, options: Options) -> Remembered | None:
    """What came of a job in an earlier run, if it need not be done again."""
    if not (options.resume or options.retry_failed) or STDIO in (job.source, job.target):
        return None
    version: FileVersion | None = None
    with suppress(OSError, ImportError):  # whoever reads it will say so
        version = version_of(job.source)
    status = history.status_of(job, version)
    known = {"source": job.source, "target": job.target, "settings": job.settings.hash}
    if status == "done" and exists(job.target):
        return Remembered(**known, status="done")
    if status == "skipped" and job.settings.skip_larger:
        return Remembered(**known, status="skipped")
    if status == "failed" and not options.retry_failed:
        error = f"{printable(job.source)}: failed before; --retry-failed tries it again"
        return Remembered(**known, status="failed", error=error)
    return None


def _work_off(
    jobs: Iterator[Job[Any] | Outcome],
    workers: _Workers,
    work: Work,
    options: Options,
    report: _Report,
    bar: FilesBar,
) -> None:
    def here(job: Job[Any] | Outcome) -> Outcome:
        if isinstance(job, Outcome):
            return job
        bar.start_file(shown_input(job.source))
        return _tried(job) if options.dry_run else work.work_here(job)

    if workers.executor is None or options.dry_run:
        _take_all((here(job) for job in jobs), options, report, bar)
        return
    from kmcodec.batch.streaming import WorkersLostError, stream

    outcomes = stream(work.work, jobs, executor=workers.executor, window=workers.window)
    try:
        _take_all(outcomes, options, report, bar)
    except WorkersLostError as error:
        raise Failure(str(error)) from error


def _take_all(outcomes: Generator[Outcome, None, None], options: Options, report: _Report, bar: FilesBar) -> None:
    with closing(outcomes):
        for outcome in outcomes:
            report.take(outcome, bar)
            if options.fail_fast and outcome.status == "failed":
                report.is_stopping = True  # those in flight are taken in still


def _tried(job: Job[Any]) -> Outcome:
    """What would come of a job, as far as can be told without working on it."""
    try:
        version = STREAMS.version(job.source)
        if job.target != STDIO and not is_under_a_file(job.target):
            check_target(job.target, overwrite=job.settings.overwrite)
    except Exception as error:
        return failed(job, sentence_of(error, shown_input(job.source)) or f"{shown_input(job.source)}: {error}")
    size = None if version is None else version.size
    return Outcome(source=job.source, target=job.target, status="done", settings=job.settings.hash, source_bytes=size)


def _whole(name: str) -> str:
    """A name that means the same in any folder."""
    return name if is_url(name) or not name else os.path.abspath(name)  # noqa: PTH100  # keeps links
