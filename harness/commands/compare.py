"""`rtconform compare`: whether one loader is slower than another, for a gate on pull requests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import comparison, selection
from ..implementations import BadConnection, ImplementationError, LoaderImplementation, NotAvailable, connect
from ..measure import paired, side_by_side
from ..measure.step import step_of
from ..paths import why_unwritable
from ..report import compared
from ..verdicts import ExitCode
from . import fail, progress_line, single
from .terminable import terminable

DEFAULT_OUT = "rtconform-compare"
LIMITS = comparison.Limits()


@terminable()
def compare(
    base: Annotated[str, typer.Argument(help="A: the loader that is there already; abi:LIB.so[#NAME], or a name.")],
    candidate: Annotated[str, typer.Argument(help="B: the loader that may not be slower.")],
    models: Annotated[str | None, typer.Option(help="Your own RTNeural JSON file or folder.")] = None,
    floor_percent: Annotated[float, typer.Option(help="Less is no difference.")] = 100 * LIMITS.relative,
    floor_us: Annotated[float, typer.Option(help="Nor is less than so many µs per step.")] = LIMITS.absolute_us,
    most_rounds: Annotated[int, typer.Option(min=paired.LOOKS[0], help="When to give up.")] = paired.LOOKS[-1],
    instructions: Annotated[bool, typer.Option(help="Count instructions, if valgrind is here.")] = True,
    gate_instructions: Annotated[bool, typer.Option("--gate-instructions", help="More of them fail too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all randomness.")] = 0,
    out: Annotated[str, typer.Option(help="Folder for compare.json and compare.md.")] = DEFAULT_OUT,
) -> None:
    """Times both side by side. Exit code 0: B is not slower; 1: it is, by proof; 75: the machine is too noisy."""
    if not (0 < floor_percent < math.inf and 0 <= floor_us < math.inf):
        found = f"{floor_percent:g} and {floor_us:g}"
        fail(f"--floor-percent has to be above zero, --floor-us not below, and both finite; found {found}")
    if reason := why_unwritable(Path(out)):
        fail(f"--out {out}: {reason}")
    try:
        step = step_of(selection.user_cases(Path(models)) if models else selection.five_cases())
    except selection.UnusableModels as error:
        fail(f"--models {models}: {error}")
    limits = comparison.Limits(floor_percent / 100, floor_us)
    loaders = _connected("A", base), _connected("B", candidate)
    with _written(out):
        compared.prepare(Path(out))
    try:
        with progress_line() as progress:
            measured = comparison.compare(
                *loaders,
                step,
                limits=limits,
                most_rounds=most_rounds,
                seed=seed,
                count=instructions or gate_instructions,
                gates_instructions=gate_instructions,
                progress=progress,
            )
    except comparison.NotMeasurable as error:
        fail(str(error))
    except (side_by_side.WrongWhenTimed, ImplementationError) as error:
        with _written(out):
            compared.write_failure(str(error), Path(out))
        hint = (
            "Nothing was compared. `rtconform run --loader …` judges each alone, and says how to reproduce what fails."
        )
        fail(
            f"{error}\n{hint}", code=ExitCode.NOT_AVAILABLE if isinstance(error, NotAvailable) else ExitCode.UNEXPECTED
        )
    lines = measured.lines()
    typer.echo(compared.render_terminal(measured, lines))
    with _written(out):
        compared.write(measured, lines, Path(out))
    typer.echo(f"Data and summary: {Path(out) / compared.DATA}, {Path(out) / compared.SUMMARY}")
    raise typer.Exit(int(comparison.exit_code(measured, lines)))


@contextmanager
def _written(out: str) -> Iterator[None]:
    """Ends the command where a file can't be written: with 2, since 1 would say that B is slower."""
    try:
        yield
    except OSError as error:
        fail(f"--out {out}: expected to write {error.filename or out}, found: {error.strerror}")


def _connected(letter: str, connection: str) -> LoaderImplementation:
    try:
        return connect(connection, "loader")
    except BadConnection as error:
        fail(f"{letter}: {error}")
    except ImplementationError as error:
        code = ExitCode.NOT_AVAILABLE if isinstance(error, NotAvailable) else ExitCode.UNEXPECTED
        fail(f"{letter}: {error}", code=code)


def command(name: str, text: str) -> Any:
    return single(compare, name, text)
