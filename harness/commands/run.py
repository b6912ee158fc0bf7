"""`rtconform run`: a front for pytest on the suite's own tests, in a checkout and installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import records
from ..catalogue import TIMED_CLASSES
from ..paths import CONFORMANCE
from ..records import STREAM_NAME
from ..run_state import DEFAULT_OUT
from ..verdicts import ExitCode
from . import single
from .terminable import terminable, wait

PLUGIN = "rtconform.harness.pytest_plugin"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
INTERRUPTED, REFUSED, NOTHING_COLLECTED = 2, 4, 5
"""pytest's exit codes; importing pytest for them would take longer than a usage error."""


@terminable()
def run(
    loader: Annotated[list[str], typer.Option(help="A loader: name, abi:LIB.so[#NAME], cmd:… or py:….")] = [],  # noqa: B006
    exporter: Annotated[list[str], typer.Option(help="An exporter: name, cmd:… or py:….")] = [],  # noqa: B006
    trainer: Annotated[list[str], typer.Option(help="A trainer: name, cmd:… or py:….")] = [],  # noqa: B006
    pipeline: Annotated[list[str], typer.Option(help="A pipeline: name, abi:LIB.so[#NAME], cmd:… or py:….")] = [],  # noqa: B006
    models: Annotated[str | None, typer.Option(help="Your own RTNeural JSON file or folder.")] = None,
    classes: Annotated[list[str], typer.Option("--class", help="Judge only this class; may be repeated.")] = [],  # noqa: B006
    only: Annotated[list[str], typer.Option(help="Just this item, by its whole name.")] = [],  # noqa: B006
    known_failures: Annotated[str | None, typer.Option(help="Your known-failures file.")] = None,
    profile: Annotated[str | None, typer.Option(help="smoke, ci or nightly.")] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of all randomness.")] = None,
    shard: Annotated[str | None, typer.Option(help="i/n: the i-th of n parts of the run, for n machines.")] = None,
    config: Annotated[str | None, typer.Option(help="Settings file: rtconform.toml or pyproject.toml.")] = None,
    out: Annotated[str | None, typer.Option(help="Folder for the records and reports.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes for all but the timed classes, which follow alone.")] = 1,
    pytest_arguments: Annotated[list[str], typer.Argument(help="Further arguments for pytest, behind --.")] = [],  # noqa: B006
) -> None:
    """Judges what the options or the settings file name; all conformance classes unless --class says otherwise."""
    options = {
        "loader": loader,
        "exporter": exporter,
        "trainer": trainer,
        "pipeline": pipeline,
        "models": models,
        "class": classes,
        "only": only,
        "known-failures": known_failures,
        "profile": profile,
        "seed": seed,
        "shard": shard,
        "config": config,
        "out": out,
    }
    timed = set(classes or TIMED_CLASSES) & set(TIMED_CLASSES)
    if jobs == 1 or timed == set(classes):
        raise typer.Exit(run_suite(options, pytest_arguments))
    if not timed:
        raise typer.Exit(run_suite(options, pytest_arguments, jobs))
    raise typer.Exit(run_in_two_parts(options, pytest_arguments, jobs))


def run_in_two_parts(options: dict[str, Any], pytest_arguments: list[str], jobs: int) -> int:
    """Runs what is not timed in several processes, then the timed classes alone, and sums up both as one run."""
    out = Path(options["out"] or DEFAULT_OUT)
    first = out / "untimed"
    untimed = ["-m", " and ".join(f"not {name}" for name in TIMED_CLASSES), "--rtc-records-only"]
    code = run_suite({**options, "out": str(first)}, [*untimed, *pytest_arguments], jobs)
    if code == ExitCode.USAGE or not _has_ended(first):
        return code
    alone = ["-m", " or ".join(TIMED_CLASSES), f"--rtc-continue={first}"]
    return run_suite({**options, "out": str(out)}, [*alone, *pytest_arguments])


def run_suite(options: dict[str, Any], pytest_arguments: Sequence[str] = (), jobs: int = 1) -> int:
    """Runs the suite and returns the exit code; `options` are the plugin's, without `--rtc-`.

    Several jobs are several processes, which then have one thread each for their arithmetic.

    pytest gets a process of its own, since a Python implementation may end the one that it is in: a run without a
    footer in its records is no run, whatever its exit code. No test selected is a usage error, as is anything that
    pytest refuses.
    """
    out = Path(options.get("out") or DEFAULT_OUT)
    arguments = ["--rtc-timed", *pytest_arguments]
    if jobs > 1:
        # A process that is lost ends the run, which has no verdict then; another one would lose the same item again.
        arguments += ["-n", str(jobs), "--dist", "loadgroup", "--max-worker-restart", "0"]
    before = _written(out)
    code = start_pytest(options, arguments, one_thread=jobs > 1)
    if code in (INTERRUPTED, REFUSED):
        return int(ExitCode.USAGE)
    if code == NOTHING_COLLECTED:
        typer.echo(
            "rtconform: nothing was selected, so nothing was judged. Name an implementation (--loader, --exporter, "
            "--trainer, --pipeline, or a settings file), and see `rtconform requirements` for classes and ids.",
            err=True,
        )
        return int(ExitCode.USAGE)
    if _written(out) == before or not _has_ended(out):
        typer.echo(
            f"rtconform: the run ended early (exit code {code}), so there is no verdict. An implementation that ends "
            "its process belongs behind abi: or cmd:, where that is a verdict; see docs/PLUG_IN.md.",
            err=True,
        )
        return int(ExitCode.UNEXPECTED)
    return code


def start_pytest(
    options: Mapping[str, Any], pytest_arguments: Sequence[str], *, one_thread: bool, output: Path | None = None
) -> int:
    """Runs pytest on the suite and returns its exit code; `one_thread` holds for its arithmetic.

    What it prints goes into a file if `output` names one.
    """
    arguments = [
        *("-c", str(CONFORMANCE / "pytest.ini"), "--rootdir", str(CONFORMANCE), "-p", PLUGIN),
        *("-p", "no:hypothesispytest"),  # whose summary loads all of hypothesis, a quarter of a second
        *("-p", "no:logging"),  # which looks at all loggers three times per item
        *("-p", "no:memray"),  # which takes a tenth of a second to load, and no requirement asks it
        *("-q", "-rN", "--no-header", "--tb=short"),
    ]
    for name, value in options.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item is not None:
                arguments.append(f"--rtc-{name}={item}")
    environment = {**ONE_THREAD, **os.environ} if one_thread else dict(os.environ)
    command = [sys.executable, "-m", "pytest", *arguments, *pytest_arguments, str(CONFORMANCE)]
    if output is None:
        return wait(subprocess.Popen(command, env=environment))
    with output.open("w", encoding="utf-8") as file:
        return wait(subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT))


def _written(out: Path) -> int | None:
    """When the records in a folder were written last."""
    stream = out / STREAM_NAME
    return stream.stat().st_mtime_ns if stream.is_file() else None


def _has_ended(out: Path) -> bool:
    """Whether the records in a folder are of a run that came to its end."""
    try:
        records.read(out)
    except records.InvalidStream:
        return False
    return True


def command(name: str, text: str) -> Any:
    return single(run, name, text)
