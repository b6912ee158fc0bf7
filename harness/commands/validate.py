"""`rtconform validate`: RTNeural JSON files checked strictly, every fault with its JSON path."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from ..rtneural_json import validate_file
from ..rtneural_json.message import format_report
from ..rtneural_json.specs import check_spec
from ..selection import files_of
from . import fail, single


def validate(
    paths: Annotated[list[str], typer.Argument(help="Files, or folders whose *.json files are checked.")],
    as_: Annotated[str | None, typer.Option("--as", help="Check against the spec of this model too.")] = None,
) -> None:
    """Exit code 0 when every file is valid, 1 when one is not."""
    files = [file for path in paths for file in _files(Path(path))]
    broken = 0
    for file in files:
        report = validate_file(file)
        if as_ is not None and report.model is not None:
            try:
                faults = check_spec(report.model, as_)
            except ValueError as error:
                fail(str(error))
            report = dataclasses.replace(report, faults=(*report.faults, *faults))
        broken += bool(report.faults)
        typer.echo(format_report(report, file))
    if len(files) > 1:
        typer.echo(f"{len(files)} files, {broken} not valid.")
    raise typer.Exit(1 if broken else 0)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files, companions = files_of(path)
    if not files:
        fail(f"expected RTNeural JSON files in {path}, found none; name a file or another folder")
    if companions:
        typer.echo(f"skipped, which rtconform writes beside models: {', '.join(file.name for file in companions)}")
    return files


def command(name: str, text: str) -> Any:
    return single(validate, name, text)
