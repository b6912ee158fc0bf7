"""`rtconform selftest`: the suite on implementations that are known to be wrong, and on good ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import catalogue, records
from ..faulty import matrix as kill_matrix
from ..report.kill_matrix import DATA, PAGE, write
from ..verdicts import ExitCode
from . import fail, single
from .run import run_suite

DEFAULT_OUT = "rtconform-selftest"
TIMEOUT_SECONDS = 6.0
MEMORY_LIMIT_BYTES = 6 * 1024 * 1024
"""More than the usual limit, which plain float32, as the good loader has it, is over by arithmetic."""


def selftest(
    role: Annotated[list[str], typer.Option(help="Only this role; may be repeated.")] = [],  # noqa: B006
    only: Annotated[list[str], typer.Option(help="Only this known-bad, or mutant; may be repeated.")] = [],  # noqa: B006
    jobs: Annotated[int, typer.Option(help="Processes for what is not timed.")] = 2,
    latency: Annotated[bool, typer.Option(help="Try the latency class, which wants a quiet machine.")] = True,
    mutants: Annotated[str, typer.Option(help="Only automatic mutants of the good ones: how many, or all.")] = "",
    out: Annotated[str, typer.Option(help="Folder for the records.")] = DEFAULT_OUT,
) -> None:
    """Checks that every known-bad is caught by what it declares, by nothing else, and that no good one is accused."""
    if mutants:
        from .selftest_mutants import try_mutants

        raise typer.Exit(try_mutants(mutants, role, only, jobs, Path(out)))
    requirements = [r for r in catalogue.load().values() if latency or r.conformance_class != "latency"]
    in_scope = {r.id for r in requirements}
    entries = [e for e in kill_matrix.load() if e.is_good or in_scope.intersection(e.killed_by)]
    entries = [e for e in entries if (not role or e.role in role) and (not only or e.id in only)]
    if not entries:
        fail(f"no implementation of the self-test is selected; {kill_matrix.LIST} lists them")
    results: list[dict[str, Any]] = []
    for timed, processes in ((False, jobs), (True, 1)):
        for classes, group in _groups(entries, [r for r in requirements if r.is_timed == timed]).items():
            name = "-".join(["timed" if timed else "untimed", *classes])
            typer.echo(f"{', '.join(classes)}: {len(group)} implementations, of which the wrong ones must fail")
            results += _run(group, classes, Path(out) / name, processes)
    matrix = kill_matrix.evaluate(entries, results)
    if not only:
        matrix.faults += kill_matrix.uncovered(matrix, requirements)
    _write(matrix, requirements, Path(out))
    typer.echo(kill_matrix.table(matrix))
    for note in matrix.undecided:
        typer.echo(f"OPEN  {note}")
    for fault in matrix.faults:
        typer.echo(f"FAULT {fault}")
    bad = [entry for entry in entries if not entry.is_good]
    typer.echo(
        f"{matrix.killed} of {len(bad)} known-bad implementations caught, {len(entries) - len(bad)} good ones tried, "
        f"{len(results)} cases over {len(requirements)} requirements, {len(matrix.faults)} faults of the suite."
    )
    typer.echo(f"The matrix as a picture: {Path(out) / PAGE}")
    raise typer.Exit(1 if matrix.faults else 0)


def _groups(
    entries: Iterable[kill_matrix.Entry], requirements: Iterable[catalogue.Requirement]
) -> dict[tuple[str, ...], list[kill_matrix.Entry]]:
    """The entries that take part in any of the requirements, by the classes that they are tried on."""
    groups: dict[tuple[str, ...], list[kill_matrix.Entry]] = {}
    for entry in entries:
        classes = tuple(dict.fromkeys(r.conformance_class for r in requirements if entry.takes_part(r)))
        if classes:
            groups.setdefault(classes, []).append(entry)
    return groups


def _run(
    entries: Sequence[kill_matrix.Entry], classes: Sequence[str], out: Path, jobs: int
) -> Sequence[dict[str, Any]]:
    """The result records of the suite's run on these implementations, with the smallest set of cases.

    The parts of chains can be put together in more ways than those that are asked for, which are selected by name.
    """
    options: dict[str, Any] = {
        "profile": "smoke",
        "out": str(out),
        "config": str(_settings(out)),
        "class": list(classes),
    }
    for name in catalogue.ROLES:
        options[name] = list(dict.fromkeys(e.connections[name] for e in entries if name in e.connections))
    chains = [f"[{entry.id}" for entry in entries if entry.role == catalogue.CHAIN]
    chosen = ["-k", " or ".join(chains)] if chains else []
    code = run_suite(options, ["--rtc-records-only", "--tb=no", "--no-summary", *chosen], jobs)
    try:
        if code == ExitCode.USAGE:
            fail("the suite could not be run on them, for the reason above", code=1)
        return records.read(out).results
    except records.InvalidStream as error:
        fail(str(error), code=1)


def _write(matrix: kill_matrix.Matrix, requirements: Iterable[catalogue.Requirement], out: Path) -> None:
    """The matrix as data, and as a page that is drawn from them."""
    data = json.dumps(kill_matrix.document(matrix, requirements), ensure_ascii=False, indent=1)
    (out / DATA).write_text(data, encoding="utf-8")
    write(out)


def _settings(out: Path) -> Path:
    """A settings file of the self-test's own, so that those of the folder that it is called in take no part."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "rtconform.toml"
    path.write_text(f"timeout_s = {TIMEOUT_SECONDS}\nmemory_limit_bytes = {MEMORY_LIMIT_BYTES}\n", encoding="utf-8")
    return path


def command(name: str, text: str) -> Any:
    return single(selftest, name, text)
