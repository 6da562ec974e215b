"""
The command with its subcommands.

What only the work of a subcommand needs is imported when it works: `--version` loads no NumPy, `info` no quantiser.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from kmcodec import __version__
from kmcodec.cli.completion import completion
from kmcodec.cli.console import flush_stdout, say_error, show_python_warnings_in_one_line
from kmcodec.cli.decode import decode
from kmcodec.cli.demo import demo
from kmcodec.cli.encode import encode
from kmcodec.cli.help import EXIT_CODES, Terms, write_examples, write_terms
from kmcodec.cli.info import info
from kmcodec.cli.jobs import Failure
from kmcodec.cli.measure import measure
from kmcodec.cli.mime import mime

_PROGRAM = "kmcodec"


EXAMPLES = (
    ("Encode a picture, look at it, and decode it:", "kmcodec encode photo.png"),
    ("", "kmcodec info photo.kmc"),
    ("", "kmcodec decode photo.kmc -o again.png"),
)
_ENVIRONMENT: Terms = (
    ("NO_COLOR", "No colours, whatever the terminal."),
    ("COLUMNS", "The width of tables and help; that of the terminal if not set."),
    ("TMPDIR", "Where temporary files of large pictures lie if the result is a pipe or a URL."),
)


class _InOrder(click.Group):
    """Lists its commands in the order in which they are needed, not by name."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the commands."""
        write_examples(formatter, EXAMPLES)
        write_terms(formatter, "Exit codes", EXIT_CODES)
        write_terms(formatter, "Environment", _ENVIRONMENT)
        super().format_epilog(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name=_PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """
    Store pictures of few colours in few bytes.

    A palette of K colours is found by k-means, every pixel becomes a label, labels are packed and compressed into a
    .kmc file, and a decoder gives the picture back. kmcodec COMMAND --help tells more of each command.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


for _command in (encode, decode, info, measure, demo, mime, completion):
    cli.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that temporary files are removed
    show_python_warnings_in_one_line()
    status = _status_of(arguments)
    try:
        flush_stdout()
    except OSError as error:
        status = status or _status_of_output(error)
    return status


def _status_of(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(arguments, prog_name=_PROGRAM, standalone_mode=False)
    except click.UsageError as error:
        if error.ctx:
            with suppress(OSError):  # as in say_error
                click.echo(error.ctx.get_usage(), err=True)
        say_error(error.format_message())
        return 2
    except Failure as failure:
        say_error(str(failure))
        return 1
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted")
        return 130
    except OSError as error:
        return _status_of_output(error)
    except SystemExit as end:
        status = end.code
    return status if isinstance(status, int) else 0


def _status_of_output(error: OSError) -> int:
    """Say that the output cannot be written; not so of a pipe that is closed, as by `head`."""
    if not isinstance(error, BrokenPipeError):
        say_error(f"{error.filename or 'standard output'}: {error.strerror or error}")
    return 1
