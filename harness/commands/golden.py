"""`rtconform golden`: goldens checked, computed anew, or added for a model of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import golden as goldens
from ..rtneural_json import InvalidModel
from . import fail, group

FolderOption = Annotated[str, typer.Option("--folder", help="The folder with manifest.json; the suite's without it.")]


def check(folder: FolderOption = str(goldens.STORED)) -> None:
    """Check that each golden is whole, of its model file, and agrees with the oracle; exit code 1 if one does not."""
    try:
        results = goldens.check(Path(folder))
    except goldens.GoldenError as error:
        fail(str(error))
    for result in results:
        outcome = f"differs from the oracle by {result.difference:.1e} of its scale" if result.ok else result.problem
        typer.echo(f"{'ok ' if result.ok else 'BAD'} {result.name}: {outcome}")
    bad = sum(not result.ok for result in results)
    typer.echo(f"{len(results)} goldens, {bad} bad.")
    raise typer.Exit(1 if bad else 0)


def regenerate(
    folder: FolderOption = str(goldens.STORED),
    accept: Annotated[list[str], typer.Option(help="Replace this golden, or `all`; may be repeated.")] = [],  # noqa: B006
) -> None:
    """Compute the goldens anew with PyTorch, print what moved and why, and replace those that are accepted."""
    try:
        changes = goldens.regenerate(Path(folder), accept="all" if "all" in accept else accept)
    except goldens.GoldenError as error:
        fail(str(error))
    for change in changes:
        typer.echo(str(change))
    typer.echo(f"{len(changes)} goldens moved, {sum(change.accepted for change in changes)} replaced.")


def add(
    model: Annotated[str, typer.Argument(help="An RTNeural JSON file.")],
    folder: Annotated[str | None, typer.Option(help="Where to store it; `golden` beside the file without it.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of noise.")] = goldens.FRAMES,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the noise.")] = 0,
) -> None:
    """Store what PyTorch makes of a model file in float64, so that a change of the file is caught from now on."""
    try:
        made = goldens.add(Path(model), Path(folder) if folder else None, frames=frames, seed=seed)
    except (goldens.GoldenError, InvalidModel) as error:
        fail(str(error))
    typer.echo(f"{made.name}: {len(made.inputs)} frames stored for {made.model_path}")
    if goldens.find(Path(model)) is None:
        typer.echo(f"A run looks in {made.model_path.parent / 'golden'} only: it will not find this one.", err=True)


def command(name: str, text: str) -> Any:
    return group({"check": check, "regenerate": regenerate, "add": add}, name, text)
