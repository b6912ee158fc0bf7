"""`rtconform known-failures`: the user's file of accepted failures, written from a run's records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config as settings, known_failures as known, records
from ..run_state import DEFAULT_OUT
from . import fail, group

DEFAULT_FILE = "known-failures.toml"
RunOption = Annotated[str, typer.Option("--run", help="The folder of the run whose records are read.")]
FileOption = Annotated[str | None, typer.Option("--file", help="The known-failures file.")]
ReasonOption = Annotated[str, typer.Option(help="Why these failures are accepted; may be filled in by hand later.")]


def add(run: RunOption = DEFAULT_OUT, file: FileOption = None, reason: ReasonOption = "") -> None:
    """Add the failures of a run that are not listed yet; what is listed stays as it is."""
    path = _path(file)
    standing = {(entry.id, entry.implementation): entry for entry in _unchecked(path)}
    failed = _failed(run, {})
    new = [entry for entry in failed if (entry.id, entry.implementation) not in standing]
    more = 0
    for entry in failed:
        listed = standing.get((entry.id, entry.implementation))
        if listed and (cases := sorted({*listed.cases, *entry.cases})) != sorted(listed.cases):
            standing[entry.id, entry.implementation] = dataclasses.replace(listed, cases=tuple(cases))
            more += 1
    if new or more:
        _save(path, [*standing.values(), *(_with_reason(entry, reason) for entry in new)])
    typer.echo(f"{path}: {len(new)} added, {more} with more cases, {len(standing) - more} as they were.")
    _next_step(path, [*standing.values(), *new], reason)


def update(run: RunOption = DEFAULT_OUT, file: FileOption = None, reason: ReasonOption = "") -> None:
    """Rewrite the entries of the implementations of a run: reasons stay, cases and versions follow the run."""
    path = _path(file)
    standing = _unchecked(path)
    reasons = {(entry.id, entry.implementation): (entry.reason, entry.link) for entry in standing}
    stream = _read(run)
    judged = {result["implementation"] for result in stream.results}
    ran = {(result["requirement"], result["implementation"]) for result in stream.results}
    kept = [e for e in standing if e.implementation not in judged or (e.id, e.implementation) not in ran]
    new = [_with_reason(entry, reason) for entry in _failed(run, reasons)]
    _save(path, [*kept, *new])
    dropped = len(_cases(standing) - _cases([*kept, *new]))
    typer.echo(f"{path}: {len(new)} from the run, {len(kept)} kept; {dropped} cases dropped that fail no more.")
    _next_step(path, new, reason)


def list_(file: FileOption = None) -> None:
    """List the entries, and refuse a file that a run would refuse."""
    path = _path(file)
    try:
        entries = known.load(path)
    except known.InvalidKnownFailures as error:
        fail(str(error))
    for entry in entries:
        typer.echo(f"{entry.implementation:<20} {entry.id:<30} {len(entry.cases):>3} cases, {entry.valid_for}")
        typer.echo(f"    {entry.reason}{f' ({entry.link})' if entry.link else ''}")
    typer.echo(f"{path}: {len(entries)} known failures.")


def _path(file: str | None) -> Path:
    if file is not None:
        return Path(file).resolve()
    try:
        return settings.load().known_failures_path or Path(DEFAULT_FILE).resolve()
    except settings.InvalidConfig as error:
        fail(str(error))


def _unchecked(path: Path) -> tuple[known.KnownFailure, ...]:
    """The entries of the file, if there is one, reasons that are still empty included."""
    try:
        return known.load(path, reasons_required=False) if path.exists() else ()
    except known.InvalidKnownFailures as error:
        fail(str(error))


def _read(run: str) -> records.Run:
    try:
        return records.read(Path(run))
    except records.InvalidStream as error:
        fail(str(error))


def _failed(run: str, reasons: dict[tuple[str, str], tuple[str, str]]) -> list[known.KnownFailure]:
    stream = _read(run)
    identities = {record["name"]: record["identity"] for record in stream.implementations}
    return known.from_results(stream.results, identities, reasons)


def _cases(entries: Sequence[known.KnownFailure]) -> set[tuple[str, str, str]]:
    return {(entry.id, entry.implementation, case) for entry in entries for case in entry.cases}


def _with_reason(entry: known.KnownFailure, reason: str) -> known.KnownFailure:
    return entry if entry.reason else dataclasses.replace(entry, reason=reason)


def _save(path: Path, entries: Sequence[known.KnownFailure]) -> None:
    try:
        known.save(path, entries)
    except OSError as error:
        fail(f"{path} can't be written ({error.strerror}); nothing was changed. Name another file with --file.")


def _next_step(path: Path, entries: Sequence[known.KnownFailure], reason: str) -> None:
    if not reason and any(not entry.reason for entry in entries):
        typer.echo(f'Now fill in each `reason = ""` in {path}, then run with `--known-failures {path}`.')
    elif entries:
        typer.echo(f"Now run with `--known-failures {path}`, or name the file in rtconform.toml.")


def command(name: str, text: str) -> Any:
    return group({"add": add, "update": update, "list": list_}, name, text)
