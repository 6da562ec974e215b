"""The command `kmcodec`, which is loaded only when it runs: Ctrl-C is heeded by then."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 for success, 1 for an error of a file, 2 for one of usage, 130 for Ctrl-C."""
    try:
        from kmcodec.cli.command import run

        status = run(arguments)
    except KeyboardInterrupt:  # before the command could say so, or after
        status = _INTERRUPTED
    sys.exit(status)
