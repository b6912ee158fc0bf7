"""`rtconform run`: a front for pytest on the suite's own tests, in a checkout and installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ..catalogue import TIMED_CLASSES
from ..paths import CONFORMANCE
from ..records import STREAM_NAME
from ..run_state import DEFAULT_OUT
from ..verdicts import ExitCode
from . import single

PLUGIN = "rtconform.harness.pytest_plugin"


def run(
    loader: Annotated[list[str], typer.Option(help="A loader: name, abi:LIB.so[#NAME], cmd:… or py:….")] = [],  # noqa: B006
    exporter: Annotated[list[str], typer.Option(help="An exporter: name, cmd:… or py:….")] = [],  # noqa: B006
    trainer: Annotated[list[str], typer.Option(help="A trainer: name, cmd:… or py:….")] = [],  # noqa: B006
    pipeline: Annotated[list[str], typer.Option(help="A pipeline: name or py:….")] = [],  # noqa: B006
    models: Annotated[str | None, typer.Option(help="Your own RTNeural JSON file or folder.")] = None,
    classes: Annotated[list[str], typer.Option("--class", help="Judge only this class; may be repeated.")] = [],  # noqa: B006
    only: Annotated[list[str], typer.Option(help="Just this item, by its whole name.")] = [],  # noqa: B006
    known_failures: Annotated[str | None, typer.Option(help="Your known-failures file.")] = None,
    profile: Annotated[str | None, typer.Option(help="smoke, ci or nightly.")] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of all randomness.")] = None,
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
        "config": config,
        "out": out,
    }
    timed = set(classes or TIMED_CLASSES) & set(TIMED_CLASSES)
    if jobs == 1 or timed == set(classes):
        raise typer.Exit(run_suite(options, pytest_arguments))
    if not timed:
        raise typer.Exit(run_suite(options, [*in_parallel(jobs), *pytest_arguments]))
    raise typer.Exit(run_in_two_parts(options, pytest_arguments, jobs))


def run_in_two_parts(options: dict[str, Any], pytest_arguments: list[str], jobs: int) -> int:
    """Runs what is not timed in several processes, then the timed classes alone, and sums up both as one run."""
    out = Path(options["out"] or DEFAULT_OUT)
    first = out / "untimed"
    (first / STREAM_NAME).unlink(missing_ok=True)
    untimed = ["-m", " and ".join(f"not {name}" for name in TIMED_CLASSES)]
    code = run_suite(
        {**options, "out": str(first)}, [*in_parallel(jobs), *untimed, "--rtc-records-only", *pytest_arguments]
    )
    if code == ExitCode.USAGE or not (first / STREAM_NAME).is_file():
        return code
    alone = ["-m", " or ".join(TIMED_CLASSES), f"--rtc-continue={first}"]
    both = run_suite({**options, "out": str(out)}, [*alone, *pytest_arguments])
    # A fault of pytest in the first part is in no record, so that the second part can't know of it.
    return int(ExitCode.UNEXPECTED) if code == ExitCode.UNEXPECTED else both


def in_parallel(jobs: int) -> list[str]:
    """The arguments of pytest for so many processes, which then have one thread each for their arithmetic."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    return ["-n", str(jobs), "--dist", "loadgroup"]


def run_suite(options: dict[str, Any], pytest_arguments: list[str] = ()) -> int:
    """Runs the suite in this process and returns the exit code; `options` are the plugin's, without `--rtc-`.

    No test selected is a usage error, as is anything that pytest refuses.
    """
    import pytest

    arguments = [
        *("-c", str(CONFORMANCE / "pytest.ini"), "--rootdir", str(CONFORMANCE), "-p", PLUGIN),
        *("-q", "-rN", "--no-header", "--tb=short", "--rtc-timed"),
    ]
    for name, value in options.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item is not None:
                arguments.append(f"--rtc-{name}={item}")
    code = int(pytest.main([*arguments, *pytest_arguments, str(CONFORMANCE)]))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        typer.echo(
            "rtconform: nothing was selected, so nothing was judged. Name an implementation (--loader, --exporter, "
            "--trainer, --pipeline, or a settings file), and see `rtconform requirements` for classes and ids.",
            err=True,
        )
        return int(ExitCode.USAGE)
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED):
        return int(ExitCode.USAGE)
    return code


def command(name: str, text: str) -> Any:
    return single(run, name, text)
