"""`rtconform requirements`: the catalogue, as a list or as the document docs/REQUIREMENTS.md."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .. import catalogue
from . import single


def requirements(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/REQUIREMENTS.md.")] = False,
) -> None:
    """Lists id, level, role and the sentence of each requirement."""
    if markdown:
        from ..reference_docs import requirements_markdown

        typer.echo(requirements_markdown(), nl=False)
        return
    for requirement in catalogue.load().values():
        typer.echo(f"{requirement.id}  ({requirement.conformance_class}, {requirement.role}, {requirement.level})")
        typer.echo(f"    {requirement.text}")


def command(name: str, text: str) -> Any:
    return single(requirements, name, text)
