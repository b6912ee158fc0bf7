"""The commands of the command line: each module has `command(name, help)`, which makes its click command."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

PROGRESS_SECONDS = 10.0


def single(function: Callable[..., Any], name: str, text: str) -> Any:
    """A command that is one function."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=name, help=text)(function)
    return typer.main.get_command(app)


def group(functions: dict[str, Callable[..., Any]], name: str, text: str) -> Any:
    """A command with subcommands; each function's docstring is its help."""
    app = typer.Typer(name=name, help=text, add_completion=False, no_args_is_help=True, rich_markup_mode=None)
    for subcommand, function in functions.items():
        app.command(name=subcommand)(function)
    return typer.main.get_group(app)


def fail(message: str, code: int = 2) -> NoReturn:
    """Ends the command with one message on standard error."""
    typer.echo(f"rtconform: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A function that shows progress: one line that is rewritten on a terminal, a line per ten seconds elsewhere."""
    started = shown = time.monotonic()

    def show(text: str) -> None:
        nonlocal shown
        now = time.monotonic()
        if sys.stderr.isatty():
            said = f"{now - started:.0f} s: {text}" if text else ""
            print(f"\r\033[K{said}", end="", file=sys.stderr, flush=True)
        elif text and now - shown >= PROGRESS_SECONDS:
            shown = now
            print(f"{now - started:.0f} s: {text}", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        show("")
