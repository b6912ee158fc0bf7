"""The text of a failure: what was required, what was found and where, and how to see it again."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CARRIED_VARIABLES = ("RTNEURAL_DIR", "RTCONFORM_CACHE", "RTCONFORM_MARCH")
"""Environment variables that change what is judged, so that a command without them would not show the same."""


PLACE = {"first_bad_frame", "first_bad_output", "expected", "got", "error_in_budgets", "error_ulp", "neighbours"}
"""The keys of the evidence that tell where outputs differ."""


PROCESS = {"error", "who", "op", "command", "requests", "gdb"}
"""The keys of the evidence about a process that failed: what was found says the same, without all the bytes sent."""


def reproduce_command(item: str, connections: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """One line for any shell in any folder that runs just this case.

    `connections` are by role; `options` are further `rtconform run` options.
    """
    variables = [f"{name}={os.environ[name]}" for name in CARRIED_VARIABLES if os.environ.get(name)]
    if folders := import_folders(connections.values()):
        variables.append(f"PYTHONPATH={folders}")
    words = ["env", *variables] if variables else []
    words += [sys.executable, "-m", "rtconform", "run", "--only", item]
    for role, connection in connections.items():
        words += [f"--{role}", absolute_connection(connection)]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def import_folders(connections: Iterable[str]) -> str:
    """PYTHONPATH with absolute folders; for Python objects with the working folder, where they may have come from."""
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    foreign = any(re.search(r"\bpy:(?!rtconform\.)", connection) for connection in connections)
    folders += [str(Path.cwd())] if foreign else []
    return os.pathsep.join(dict.fromkeys(str(Path(folder).resolve()) for folder in folders))


def absolute_connection(connection: str) -> str:
    """The connection with the paths of a library or program made absolute."""
    kind, _, rest = connection.partition(":")
    if kind == "abi":
        path, hash_sign, name = rest.partition("#")
        return f"abi:{Path(path).expanduser().resolve()}{hash_sign}{name}"
    if kind == "cmd":
        words = [str(Path(word).resolve()) if Path(word).exists() else word for word in shlex.split(rest)]
        return f"cmd:{shlex.join(words)}"
    return connection


def failure_text(result: Mapping[str, Any]) -> str:
    """A result record as the text that a person reads in a terminal."""
    lines = [
        f"{result['item']}: {result['verdict']}",
        f"  required: {result['text']}",
        f"  found:    {result['found'] or 'it holds'}",
    ]
    lines += [f"  {line}" for line in evidence_lines(result["evidence"])]
    if known := result.get("known_failure"):
        lines.append(f"  known failure: {known}")
    lines.append(f"  seed:     {result['seed']}")
    lines.append(f"  again:    {result['command']}")
    if debugger := result["evidence"].get("gdb"):
        lines.append(f"  debugger: {debugger}")
    return "\n".join(lines)


def evidence_lines(evidence: Mapping[str, Any]) -> Iterable[str]:
    """The evidence in lines: the bad place first, then everything else by name."""
    shown = {*PROCESS, "blame"}
    if blame := evidence.get("blame"):
        yield from blame_lines(blame)
    if "first_bad_frame" in evidence:
        shown |= PLACE
        yield (
            f"at frame {evidence['first_bad_frame']}, output {evidence['first_bad_output']}: "
            f"expected {_number(evidence['expected'])}, got {_number(evidence['got'])} "
            f"({_number(evidence.get('error_in_budgets'), 3)} × the error budget, "
            f"{_number(evidence.get('error_ulp'), 3)} ULP)"
        )
        for neighbour in evidence.get("neighbours") or ():
            yield f"  neighbour: {_neighbour(neighbour)}"
    for name, value in evidence.items():
        if name not in shown:
            lines = str(value).splitlines() or [""]
            yield f"{name}: {lines[0]}"
            yield from (f"    {line}" for line in lines[1:])


def blame_lines(blame: Mapping[str, Any]) -> Iterable[str]:
    """What a chain came to as it is, and with stages replaced."""
    yield f"blame: the chain parts from what is right at {blame['first_divergence']}"
    for swap in blame["swaps"]:
        replaced = " and ".join(swap["replaced"])
        what = f"with the judge's own {replaced}" if replaced else "as it is"
        said = "it holds" if swap["holds"] else next(iter(swap["found"].splitlines()), "it is broken")
        size = (
            "" if swap["error_in_budgets"] is None else f"{_number(swap['error_in_budgets'], 3)} × the error budget, "
        )
        yield f"  {what}: {size}{said}"


def _neighbour(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_number(item)}" for key, item in value.items())
    return str(value)


def _number(value: Any, digits: int = 9) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
