"""The command `rtconform`. Each command is a module of its own in harness/commands, imported when it runs."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

COMMANDS = {
    "run": "Judge implementations, requirement by requirement.",
    "data": "Look into a data set before training.",
    "train": "Train the reference models.",
    "export": "Export a torch module to RTNeural JSON.",
    "validate": "Check RTNeural JSON files, strictly.",
    "specs": "Show the five reference models, and errata.",
    "golden": "Check, regenerate or add goldens.",
    "known-failures": "List, add or update known failures.",
    "selftest": "Try the suite on wrong implementations.",
    "compare": "Say whether one loader is slower than another.",
    "bench": "Time loaders side by side.",
    "report": "Print or write again the reports of a run.",
    "requirements": "List the requirements.",
}


class LazyGroup(typer.core.TyperGroup):
    """Lists every command at once and imports only the one that is called."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: object, name: str) -> object:
        if name not in COMMANDS:
            return None
        if "--help" in sys.argv[1:2] or len(sys.argv) == 1:
            return typer.core.TyperCommand(name, help=COMMANDS[name])
        module = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
        return module.command(name, COMMANDS[name])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"rtconform {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Conformance and benchmark suite for neural audio models, from PyTorch to RTNeural and C++."""


def main() -> None:
    """The console script."""
    app(prog_name="rtconform")


if __name__ == "__main__":
    main()
