"""`rtconform report`: the reports of a run again, from its records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import records
from ..run_state import DEFAULT_OUT
from . import fail, single


def report(
    run: Annotated[str, typer.Argument(help="The folder of a run, or its stream.")] = DEFAULT_OUT,
) -> None:
    """Writes report.html, junit.xml and summary.md beside the records, and prints the summary."""
    from .. import report as reports

    path = Path(run)
    folder = path if path.is_dir() else path.parent
    try:
        records.read(path)
    except records.InvalidStream as error:
        fail(str(error))
    reports.write_all(folder)
    typer.echo(reports.summarise(folder))


def command(name: str, text: str) -> Any:
    return single(report, name, text)
