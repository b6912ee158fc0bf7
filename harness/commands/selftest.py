"""`rtconform selftest`: the suite on implementations that are known to be wrong, and on good ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import catalogue, records
from ..faulty import matrix as kill_matrix
from ..report.kill_matrix import DATA, PAGE, write
from ..verdicts import ExitCode
from . import fail, single
from .run import start_pytest
from .terminable import terminable

DEFAULT_OUT = "rtconform-selftest"
TIMEOUT_SECONDS = 6.0
MEMORY_LIMIT_BYTES = 6 * 1024 * 1024
"""More than the usual limit, which plain float32, as the good loader has it, is over by arithmetic."""

ALONE = "latency"
"""The class whose figures depend on what else runs; memory is counted exactly."""

OUTPUT = "pytest.txt"
"""What pytest says about a batch, beside its records."""

TOGETHER = {"trainer": 10, catalogue.CHAIN: 8, "pipeline": 4, "loader": 10, "exporter": 13}
"""How many implementations of a role share a process, in the order in which they are started.

Many import torch and train less often, few let waits overlap; what takes long must not come last.
"""


@dataclass(frozen=True)
class Batch:
    """Implementations that are tried in one process on the same classes; its records go to a folder of that name."""

    name: str
    classes: tuple[str, ...]
    entries: Sequence[kill_matrix.Entry]


@terminable()
def selftest(
    role: Annotated[list[str], typer.Option(help="Only this role; may be repeated.")] = [],  # noqa: B006
    only: Annotated[list[str], typer.Option(help="Only this known-bad, or mutant; may be repeated.")] = [],  # noqa: B006
    jobs: Annotated[int, typer.Option(help="Processes for what is not timed.")] = 2,
    latency: Annotated[bool, typer.Option(help="Try the latency class, which wants a quiet machine.")] = True,
    mutants: Annotated[str, typer.Option(help="Only automatic mutants of the good ones: how many, or all.")] = "",
    out: Annotated[str, typer.Option(help="Folder for the records.")] = DEFAULT_OUT,
) -> None:
    """Checks that every known-bad is caught by what it declares, by nothing else, and that no good one is accused.

    The exit code is 1 for a fault of the suite, and 3 where something could not be judged on this machine.
    """
    if mutants:
        from .selftest_mutants import try_mutants

        raise typer.Exit(try_mutants(mutants, role, only, jobs, Path(out)))
    requirements = [r for r in catalogue.load().values() if latency or r.conformance_class != "latency"]
    in_scope = {r.id for r in requirements}
    entries = [e for e in kill_matrix.load() if e.is_good or in_scope.intersection(e.killed_by)]
    entries = [e for e in entries if (not role or e.role in role) and (not only or e.id in only)]
    if not entries:
        fail(f"no implementation of the self-test is selected; {kill_matrix.LIST} lists them")
    typer.echo(f"implementations to try: {len(entries)}; the wrong ones must fail")
    results: list[dict[str, Any]] = []
    for alone, processes in ((False, jobs), (True, 1)):
        batches = list(_batches(entries, [r for r in requirements if (r.conformance_class == ALONE) == alone]))
        results += _run_all(batches, Path(out), processes)
    matrix = kill_matrix.evaluate(entries, results)
    if not only:
        matrix.faults += kill_matrix.uncovered(matrix, requirements)
    _write(matrix, requirements, Path(out))
    typer.echo(kill_matrix.table(matrix))
    for note in matrix.undecided:
        typer.echo(f"OPEN  {note}")
    for note in matrix.not_available:
        typer.echo(f"NOT AVAILABLE {note}")
    for fault in matrix.faults:
        typer.echo(f"FAULT {fault}")
    bad = [entry for entry in entries if not entry.is_good]
    typer.echo(
        f"{matrix.killed} of {len(bad)} known-bad implementations caught, {len(matrix.untried)} not tried, "
        f"{len(entries) - len(bad)} good ones tried, {len(results)} cases over {len(requirements)} requirements, "
        f"{len(matrix.faults)} faults of the suite."
    )
    typer.echo(f"The matrix as a picture: {Path(out) / PAGE}")
    if matrix.faults:
        raise typer.Exit(ExitCode.UNEXPECTED)
    raise typer.Exit(ExitCode.NOT_AVAILABLE if matrix.not_available else ExitCode.OK)


def _batches(entries: Iterable[kill_matrix.Entry], requirements: Sequence[catalogue.Requirement]) -> Iterator[Batch]:
    """The entries that take part in any of the requirements: of one role, and of the same classes of them."""
    groups: dict[tuple[str, tuple[str, ...]], list[kill_matrix.Entry]] = {}
    for entry in entries:
        classes = tuple(dict.fromkeys(r.conformance_class for r in requirements if entry.takes_part(r)))
        if classes:
            groups.setdefault((entry.role, classes), []).append(entry)
    order = list(TOGETHER)
    for (role, classes), group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        for start in range(0, len(group), TOGETHER[role]):
            part = group[start : start + TOGETHER[role]]
            yield Batch("-".join([*classes, f"{start + 1}", f"{start + len(part)}"]), classes, part)


def _run_all(batches: Sequence[Batch], out: Path, jobs: int) -> Iterator[dict[str, Any]]:
    """The result records of all batches, of which so many run at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(_run, batch, out / batch.name): batch for batch in batches}
        try:
            for number, done in enumerate(as_completed(running), 1):
                results = done.result()
                typer.echo(f"[{number}/{len(batches)}] {running[done].name}: {len(results)} cases")
                yield from results
        finally:
            pool.shutdown(cancel_futures=True)


def _run(batch: Batch, out: Path) -> Sequence[dict[str, Any]]:
    """The result records of the suite's run on these implementations, with the smallest set of cases.

    One failure of a requirement is enough: what else fails it would cost time, and change nothing in the matrix.
    The parts of chains can be put together in more ways than those that are asked for, which are selected by name.
    """
    options: dict[str, Any] = {
        "profile": "smoke",
        "out": str(out),
        "config": str(_settings(out)),
        "class": list(batch.classes),
    }
    for name in catalogue.ROLES:
        options[name] = list(dict.fromkeys(e.connections[name] for e in batch.entries if name in e.connections))
    chains = [f"[{entry.id}" for entry in batch.entries if entry.role == catalogue.CHAIN]
    arguments = ["--rtc-timed", "--rtc-fail-once", "--rtc-records-only", "--tb=no", "--no-summary"]
    arguments += ["-k", " or ".join(chains)] if chains else []
    stream = out / records.STREAM_NAME
    stream.unlink(missing_ok=True)  # of an earlier run, which would pass for this one's if this one broke off
    start_pytest(options, arguments, one_thread=True, output=out / OUTPUT)
    try:
        return records.read(out).results
    except records.InvalidStream as error:
        fail(f"{error} What pytest said: {out / OUTPUT}", code=1)


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
