"""`rtconform export`: a torch module, named by its factory, to RTNeural JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import golden
from ..implementations import ModuleRef, connect
from ..implementations.errors import ImplementationError
from ..rtneural_json import validate_file
from ..rtneural_json.message import format_report
from . import fail, single


def export(
    factory: Annotated[str, typer.Argument(help="What makes the module: package.module:callable.")],
    out: Annotated[str, typer.Option(help="The JSON file to write.")],
    weights: Annotated[str | None, typer.Option(help="Its state dict, a safetensors file.")] = None,
    kwargs: Annotated[str, typer.Option(help="The factory's arguments, as a JSON object.")] = "{}",
    exporter: Annotated[str, typer.Option(help="The exporter: name, cmd:… or py:….")] = "reference-exporter",
    with_golden: Annotated[bool, typer.Option("--golden/--no-golden", help="Leave a golden beside the file.")] = True,
) -> None:
    """Writes the file, checks it as `rtconform validate` does, and stores a golden that shows later changes of it.

    The working folder is on the import path.
    """
    try:
        arguments = json.loads(kwargs)
        reference = ModuleRef(factory, arguments, weights, (str(Path.cwd()),))
        connect(exporter, "exporter").export(reference, out)
    except (ImplementationError, ValueError, ImportError, AttributeError, OSError) as error:
        fail(f"{factory} was not exported, and {out} is as it was: {error}", code=1)
    report = validate_file(Path(out))
    typer.echo(format_report(report, Path(out)))
    if report.faults:
        raise typer.Exit(1)
    if with_golden:
        try:
            typer.echo(f"golden: {golden.add(Path(out), replace=True).model_path.parent / 'golden'}")
        except golden.GoldenError as error:
            fail(f"{out} was exported, but has no golden: {error} `--no-golden` exports without", code=1)


def command(name: str, text: str) -> Any:
    return single(export, name, text)
