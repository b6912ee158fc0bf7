"""`rtconform selftest --mutants`: the suite on small mistakes that a machine has made in good implementations."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import typer

from ..faulty import mutation_score
from ..faulty.mutants import Target, targets
from ..faulty.mutation import Mutant
from . import fail
from .run import start_pytest

PLUGIN = "rtconform.harness.faulty.mutation_run"


def try_mutants(wanted: str, roles: Collection[str], only: Collection[str], jobs: int, out: Path) -> int:
    """Tries all mutants, or a number of them, and returns the exit code; `only` are slugs.

    Writes mutants.json into `out`: the counts, and for each mutant what killed it, or why nothing can.
    """
    if not hasattr(os, "fork"):
        fail("mutants are tried in forks of a process, which this system doesn't have; Linux and macOS do", code=3)
    out.mkdir(parents=True, exist_ok=True)
    in_scope = [target for target in targets() if not roles or target.role in roles]
    everything = [(target, mutant) for target in in_scope for mutant in target.mutants.values()]
    chosen = _chosen(everything, wanted, only)
    outcomes: list[dict[str, Any]] = []
    for target in in_scope:
        slugs = [mutant.slug for of, mutant in chosen if of is target]
        if slugs:
            typer.echo(f"{target.implementation}: {len(slugs)} of {len(target.mutants)} mutants")
            outcomes += _outcomes(target, slugs, jobs, out)
    known = mutation_score.explained()
    if wanted != "all" or only or roles:
        tried = {mutant.key for _, mutant in chosen}
        known = {key: value for key, value in known.items() if key in tried}
    score = mutation_score.evaluate(outcomes, known, [mutant for _, mutant in everything])
    (out / "mutants.json").write_text(json.dumps(score.to_dict(), indent=1) + "\n", encoding="utf-8")
    typer.echo(mutation_score.table(score))
    for fault in score.faults:
        typer.echo(f"FAULT {fault}")
    total = score.total
    typer.echo(
        f"{total.killed} of {total.mutants} mutants killed, {total.equivalent} equivalent, {total.survived} survived: "
        f"{total.rate:.1%}. {len(score.faults)} faults of the suite. Data: {out / 'mutants.json'}"
    )
    return 1 if score.faults else 0


def _chosen(
    everything: Sequence[tuple[Target, Mutant]], wanted: str, only: Collection[str]
) -> list[tuple[Target, Mutant]]:
    """A number of mutants is always the same ones, of any kind and place: those with the smallest names."""
    chosen = [(target, mutant) for target, mutant in everything if not only or mutant.slug in only]
    if not chosen:
        fail(f"no mutant is called {', '.join(only)}; mutants.json of an earlier run lists them")
    if wanted == "all":
        return chosen
    if not wanted.isdecimal() or int(wanted) == 0:
        fail(f"--mutants expects a number above zero, or all; found {wanted!r}")
    return sorted(chosen, key=lambda pair: pair[1].slug.rpartition("-")[2])[: int(wanted)]


def _outcomes(target: Target, slugs: Sequence[str], jobs: int, out: Path) -> list[dict[str, Any]]:
    folder = out / target.implementation
    folder.mkdir(exist_ok=True)
    settings = folder / "rtconform.toml"  # so that those of the folder that it is called in take no part
    settings.write_text("", encoding="utf-8")
    listed, written = folder / "chosen.json", folder / "outcomes.jsonl"
    listed.write_text(json.dumps(slugs), encoding="utf-8")
    written.write_text("", encoding="utf-8")
    options = {
        "profile": "ci",
        "out": str(folder),
        "config": str(settings),
        "class": list(target.classes),
        target.role: target.implementation,
        "mutants-of": target.implementation,
        "mutants": str(listed),
        "mutants-out": str(written),
        "mutants-jobs": jobs,
    }
    # In the suite's own folder of temporary files, since another run of pytest tidies up the common one.
    arguments = ["-p", PLUGIN, "--capture=sys", f"--basetemp={folder / 'tmp'}", "-otmp_path_retention_policy=none"]
    code = start_pytest(options, [*arguments, "--no-summary"], one_thread=True)
    outcomes = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    if code or len(outcomes) != len(slugs):
        fail(f"{len(outcomes)} of {len(slugs)} mutants were tried; pytest ended with {code}, see above", code=1)
    return outcomes
