"""Help that says what a manual page would: options by subject, examples, exit codes, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

Terms = Sequence[tuple[str, str]]
"""Words, and what they mean."""

Example = tuple[str, str]
"""What a command line does, and the line."""

EXIT_CODES: Terms = (
    ("0", "All went well."),
    ("1", "A file failed; it is named, with the reason."),
    ("2", "Wrong usage; nothing was done."),
    ("130", "Interrupted by Ctrl-C; no file is half written."),
)

_OTHER_OPTIONS = "Other options"


class Command(click.Command):
    """
    A subcommand with a manual page for its help.

    Args:
        examples: Command lines, each with what it does; a test runs them.
        subjects: Names of parameters by subject; those of none come last.
        tables: Words explained, by heading.
        exit_codes: What the exit codes mean.
        environment: Variables that matter, and what for.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[Example] = (),
        subjects: Mapping[str, Sequence[str]] | None = None,
        tables: Mapping[str, Terms] | None = None,
        exit_codes: Terms = EXIT_CODES,
        environment: Terms = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.subjects = subjects or {}
        self.tables = tables or {}
        self.exit_codes = exit_codes
        self.environment = environment

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by subject."""
        subject_of = {name: subject for subject, names in self.subjects.items() for name in names}
        others = _OTHER_OPTIONS if self.subjects else "Options"
        terms: dict[str, list[tuple[str, str]]] = {subject: [] for subject in (*self.subjects, others)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                terms[subject_of.get(param.name or "", others)].append(record)
        for subject, found in terms.items():
            write_terms(formatter, subject, found)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the options."""
        for heading, terms in self.tables.items():
            write_terms(formatter, heading, terms)
        write_examples(formatter, self.examples)
        write_terms(formatter, "Exit codes", self.exit_codes)
        write_terms(formatter, "Environment", self.environment)
        super().format_epilog(ctx, formatter)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[Example]) -> None:
    """Write command lines, each under what it does. Lines are never broken: they shall be copied."""
    if not examples:
        return
    with formatter.section("Examples"):
        for place, (what, line) in enumerate(examples):
            if what:
                if place:
                    formatter.write_paragraph()
                formatter.write_text(what)
            formatter.write(f"{'':{formatter.current_indent + 2}}{line}\n")


def write_terms(formatter: click.HelpFormatter, heading: str, terms: Terms) -> None:
    """Write words and what they mean, if there are any."""
    if terms:
        with formatter.section(heading):
            formatter.write_dl(terms)
