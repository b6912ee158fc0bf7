"""`rtconform export`: a torch module, named by its factory, to RTNeural JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import export_cases, golden, signals, torch_forward
from ..implementations import ModuleRef, connect
from ..implementations.errors import ImplementationError
from ..implementations.module_ref import stored_weights
from ..rtneural_json import Model, budget, validate_file
from ..rtneural_json.message import format_report
from . import fail, single

FRAMES = 64


def export(
    factory: Annotated[str, typer.Argument(help="What makes the module: package.module:callable.")],
    out: Annotated[str, typer.Option(help="The JSON file to write.")],
    weights: Annotated[str | None, typer.Option(help="Its state dict, a safetensors file.")] = None,
    kwargs: Annotated[str, typer.Option(help="The factory's arguments, as a JSON object.")] = "{}",
    exporter: Annotated[str, typer.Option(help="The exporter: name, cmd:… or py:….")] = "reference-exporter",
    with_golden: Annotated[bool, typer.Option("--golden/--no-golden", help="Leave a golden beside the file.")] = True,
) -> None:
    """Writes the file, validates it, compares it with the module's own forward, and stores a golden for later.

    The working folder is on the import path.
    """
    path = Path(out)
    if path.is_dir() or not path.parent.is_dir():
        found = "a folder" if path.is_dir() else f"no folder {path.parent}"
        fail(f"--out {out}: expected the name of a file in a folder that is there, found {found}")
    try:
        reference = ModuleRef(factory, _arguments(kwargs), weights, (str(Path.cwd()),))
        module = reference.build()
    except ValueError as error:
        fail(f"nothing was exported: {error}")
    try:
        with stored_weights(module) as stored:  # the factory may draw others when the exporter calls it again
            connect(exporter, "exporter").export(dataclasses.replace(reference, state_dict=stored), path)
    except (ImplementationError, OSError) as error:
        fail(f"{factory} was not exported: {error}", code=1)
    report = validate_file(path)
    typer.echo(format_report(report, path))
    if report.model is None or report.faults:
        raise typer.Exit(1)
    _compare(module, report.model, out)
    if with_golden:
        try:
            typer.echo(f"golden: {golden.add(path, replace=True).model_path.parent / 'golden'}")
        except golden.GoldenError as error:
            fail(f"{out} was exported, but has no golden: {error} `--no-golden` exports without", code=1)


def _arguments(kwargs: str) -> dict[str, Any]:
    """The factory's arguments. Raises ValueError unless they are a JSON object."""
    try:
        arguments = json.loads(kwargs)
    except ValueError as error:
        raise ValueError(f"--kwargs: expected a JSON object, found {kwargs!r} ({error})") from None
    if not isinstance(arguments, dict):
        raise ValueError(f"--kwargs: expected a JSON object, such as '{{\"size\": 8}}', found {kwargs!r}")
    return arguments


def _compare(module: Any, model: Model, out: str) -> None:
    """Ends the command with exit code 1 when the file computes something else than the module's own forward."""
    frames = signals.noise(torch_forward.frames_for(module, model.input_size, FRAMES), model.input_size)
    try:
        judgement = export_cases.compared(torch_forward.outputs(module, frames), budget(model, frames))
    except Exception as error:  # from the forward of a module that we know nothing of
        fail(f"{out} can't be compared with its module over frames {list(frames.shape)}: {error}", code=1)
    if not judgement.ok:
        fail(
            f"{out} computes something else than its module: first at frame {judgement.first_bad_frame}, output "
            f"{judgement.first_bad_output}, where the module gives {judgement.expected:.9g} and the file "
            f"{judgement.got:.9g}, {judgement.error_in_budgets:.3g} times the error budget away. Don't use the file",
            code=1,
        )
    typer.echo(f"computes what the module computes: {judgement.error_in_budgets:.2g} error budgets at most")


def command(name: str, text: str) -> Any:
    return single(export, name, text)
