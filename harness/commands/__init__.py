"""The commands of the command line: each module has `command(name, help)`, which makes its click command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import typer


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
