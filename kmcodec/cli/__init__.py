"""
The command `kmcodec`.

What only the work of a subcommand needs is imported when it works: `--version` loads no NumPy, `info` no quantiser.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from kmcodec import __version__
from kmcodec.cli.decode import decode
from kmcodec.cli.demo import demo
from kmcodec.cli.encode import encode
from kmcodec.cli.info import info
from kmcodec.cli.jobs import Failure, say_error

_PROGRAM = "kmcodec"


class _InOrder(click.Group):
    """Lists its commands in the order in which they are needed, not by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=_PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """
    Store pictures of few colours in few bytes.

    A palette of K colours is found by k-means, every pixel becomes a label, labels are packed and compressed into a
    .kmc file, and a decoder gives the picture back.
    """


for _command in (encode, decode, info, demo):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 for success, 1 for an error of a file, 2 for one of usage, 130 for Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that temporary files are removed
    status: object = 0
    try:
        status = cli.main(arguments, prog_name=_PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        usage = f"{error.ctx.get_usage()}\n" if error.ctx else ""
        click.echo(usage, nl=False, err=True)
        say_error(error.format_message())
        status = 2
    except Failure as failure:
        say_error(str(failure))
        status = 1
    except (click.Abort, KeyboardInterrupt):
        say_error("interrupted")
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
