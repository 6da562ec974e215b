"""`kmcodec completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kmcodec.cli.console import say
from kmcodec.cli.help import Command

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_KMCODEC_COMPLETE"


@click.command(
    cls=Command,
    examples=[
        (
            "For bash, in every new session:",
            "kmcodec completion bash >>~/.bash_completion",
        ),
        ("For zsh:", "kmcodec completion zsh >>~/.zshrc"),
        ("For fish:", "kmcodec completion fish >kmcodec.fish"),
    ],
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """
    Print a script that completes commands, options, choices and file names.

    The shell runs the script when it starts: bash 4.4 and later from ~/.bash_completion, zsh from ~/.zshrc, after
    compinit, and fish from ~/.config/fish/completions/kmcodec.fish.
    """
    root = context.find_root()
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    say(kind(root.command, {}, root.info_name or "kmcodec", _VARIABLE).source())
