"""`rtconform validate`: RTNeural JSON files checked strictly, every fault with its JSON path."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import five_models
from ..rtneural_json import validate_file
from ..rtneural_json.message import format_report
from ..rtneural_json.specs import check_spec
from ..selection import files_of
from . import fail, single


def validate(
    paths: Annotated[list[str], typer.Argument(help="Files, or folders whose *.json files are checked.")],
    as_: Annotated[str | None, typer.Option("--as", help="Check against the spec of this model too.")] = None,
    five: Annotated[bool, typer.Option("--five", help="Folders must hold the five models as specified.")] = False,
) -> None:
    """Exit code 0 when every file is valid, 1 when one is not."""
    if five and as_ is not None:
        fail("--five checks each file against the spec of its name; leave --as out")
    files = [(file, name) for path in paths for file, name in (_five(Path(path)) if five else _files(Path(path), as_))]
    broken = 0
    for file, spec in files:
        report = validate_file(file)
        if spec is not None and report.model is not None:
            try:
                faults = check_spec(report.model, spec)
            except ValueError as error:
                fail(str(error))
            report = dataclasses.replace(report, faults=(*report.faults, *faults))
        broken += bool(report.faults)
        typer.echo(format_report(report, file))
    if len(files) > 1:
        typer.echo(f"{len(files)} files, {broken} not valid.")
    raise typer.Exit(1 if broken else 0)


def _five(folder: Path) -> list[tuple[Path, str | None]]:
    """The files of the five models in a folder with their names, those that are missing too."""
    if not folder.is_dir():
        found = "a file" if folder.exists() else "none"
        fail(f"--five: expected a folder with the five models at {folder}, found {found}")
    return [(folder / model["file"], name) for name, model in five_models.specs().items()]


def _files(path: Path, spec: str | None) -> list[tuple[Path, str | None]]:
    if not path.is_dir():
        return [(path, spec)]
    files, companions = files_of(path)
    if not files:
        fail(f"expected RTNeural JSON files in {path}, found none; name a file or another folder")
    if companions:
        typer.echo(f"skipped, which rtconform writes beside models: {', '.join(file.name for file in companions)}")
    return [(file, spec) for file in files]


def command(name: str, text: str) -> Any:
    return single(validate, name, text)
