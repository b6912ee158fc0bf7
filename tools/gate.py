"""One gate of a pull request: a command that judges, tried again while it is undecided, and told to GitHub Actions.

    python tools/gate.py [--tries N] [--inconclusive fail|warn] SUMMARY COMMAND …

SUMMARY is the Markdown file that COMMAND writes. It goes to the job's page, and `code`, `verdict` and `report` (the
file's folder) to the outputs of the step; outside of GitHub Actions, where GITHUB_STEP_SUMMARY and GITHUB_OUTPUT are
not set, nowhere. Standard library only.

Exit codes: those of the command, as README.md explains them; with `--inconclusive warn`, 0 instead of 75.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

FAILED = 1
USAGE = 2
INCONCLUSIVE = 75
VERDICTS = {0: "passed", FAILED: "failed", USAGE: "usage error", 3: "not available", INCONCLUSIVE: "inconclusive"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Run one gate, and tell GitHub Actions what came of it.")
    add_options(parser)
    parser.add_argument("summary", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if not given.command:
        parser.error("expected a command behind SUMMARY, found none")
    if given.summary.is_dir():
        parser.error(f"SUMMARY: expected the Markdown file that the command writes, found the folder {given.summary}")
    code = gate(given.summary, given.command, tries=given.tries, inconclusive=given.inconclusive)
    said = verdict(code, given.command, given.summary.with_name("records.jsonl"))
    append("GITHUB_OUTPUT", f"code={code}\nverdict={said}\nreport={given.summary.resolve().parent}\n")
    return exit_code(code, given.inconclusive)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The two options that every gate has."""
    parser.add_argument("--tries", type=at_least_one, default=2, help="how often to try while it is inconclusive")
    parser.add_argument("--inconclusive", choices=("fail", "warn"), default="fail", help="what it means in the end")


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found {text!r}")
    return int(text)


def gate(summary: Path, command: "list[str]", *, tries: int, inconclusive: str) -> int:
    """Runs a command until it is decided, `tries` times at most; returns its exit code, and appends the job's summary.

    An older summary, records and comparison of the same folder are deleted, so that they can't speak for this run.
    """
    records = summary.with_name("records.jsonl")
    for tried in range(1, tries + 1):
        for stale in (summary, records, summary.with_name("compare.json")):
            stale.unlink(missing_ok=True)
        code = code_of_run(run(command), records)
        if code == FAILED and code_in(records) == 0:
            summary.unlink(missing_ok=True)  # it says that all is well
        if code != INCONCLUSIVE:
            break
        print(f"gate: inconclusive, try {tried} of {tries}", flush=True)
    append("GITHUB_STEP_SUMMARY", told(code, summary, tried, inconclusive))
    if code == INCONCLUSIVE:
        print(f"::{'error' if inconclusive == 'fail' else 'warning'}::{undecided(tried, inconclusive)}", flush=True)
    return code


def run(command: "list[str]") -> int:
    """The exit code of a command; one that was killed by a signal has failed."""
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        print(f"gate: expected a command that can be started, found {command[0]}: {error.strerror}", file=sys.stderr)
        return USAGE
    if status < 0:
        print(f"gate: the command was killed by signal {-status}", file=sys.stderr)
        return FAILED
    return status


def code_of_run(status: int, records: Path) -> int:
    """What a run came to: make says 2 for whatever failed, while the footer of its records has the run's own code.

    A command that fails behind a footer that says 0, as when its reports can't be written, has failed all the same.
    """
    code = code_in(records)
    return status if status == 0 or code is None else code or FAILED


def code_in(records: Path) -> "int | None":
    """The exit code in the footer of a run's records; None if they have none."""
    try:
        footer = json.loads(records.read_text(encoding="utf-8").splitlines()[-1])
        return footer.get("exit_code")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def verdict(code: int, command: "list[str]", records: Path) -> str:
    """In words. The 2 with which make ends before there are records is no mistake in a command."""
    is_from_make = code == 2 and command[:1] == ["make"] and not records.exists()
    return "failed" if is_from_make else VERDICTS.get(code, "failed")


def told(code: int, summary: Path, tried: int, inconclusive: str) -> str:
    """The gate's part of the job's summary."""
    try:
        text = summary.read_text(encoding="utf-8")
    except OSError:
        text = f"No report: the command ended with exit code {code} without one. The job's log says why.\n"
    return f"> {undecided(tried, inconclusive)}\n\n{text}\n" if code == INCONCLUSIVE else f"{text}\n"


def undecided(tried: int, inconclusive: str) -> str:
    so = "so this check fails" if inconclusive == "fail" else "and this check passes all the same, as it was told to"
    return (
        f"INCONCLUSIVE in {tried} of {tried} tries: nothing is proven, {so}. Try again when the machine is quieter, "
        "unless what follows says that it was not the machine."
    )


def exit_code(code: int, inconclusive: str) -> int:
    return 0 if code == INCONCLUSIVE and inconclusive == "warn" else code


def append(variable: str, text: str) -> None:
    """Appends to the file that GitHub Actions names by an environment variable, if it does."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
