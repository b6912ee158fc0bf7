"""Numbered steps with durations, child processes with a heartbeat, and the one way a set-up fails."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HEARTBEAT_SECONDS = 10
SHOWN_LINES = 15
COMPLAINT = re.compile(r"CMake Error|: error:|fatal error:|^ *ERROR:|^E: ")
NO_NETWORK = (
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "Name or service not known",
    "Network is unreachable",
    "Could not resolve host",
    "Failed to establish a new connection",
    "Connection refused",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
)


class Missing(Exception):
    """Something that the set-up needs is not here; the text is one sentence: expected, found, what to do."""


class Failed(Exception):
    """A child process failed for a reason of its own; the text names it and holds the end of its output."""


class Steps:
    """Prints `[2/6] what it does ... how it went (3.1 s)` for each of a known number of steps."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0
        self._outcome = "done"

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; `outcome()` within it says how it went, and `done` is said otherwise."""
        self._number += 1
        self._outcome = "done"
        say(f"[{self._number}/{self._total}] {title} ...")
        started = time.monotonic()
        yield
        say(f"[{self._number}/{self._total}] {self._outcome} ({time.monotonic() - started:.1f} s)")

    def outcome(self, text: str) -> None:
        self._outcome = text


def say(line: str) -> None:
    print(line, flush=True)


def run(command: list, log: Path, *, name: str, env: "dict | None" = None) -> None:
    """Runs `command`, called `name` in messages, with its output in the file `log`; says each 10 s how far it is.

    `env` adds to this process's environment. Raises Missing if the output says that there is no network, Failed
    for any other end but a good one.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w", encoding="utf-8", errors="replace") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            while True:
                try:
                    status = child.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"      {time.monotonic() - started:.0f} s: {_last_line(log)}")
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if status != 0:
        raise _failure(name, status, log)


def fail(error: Exception) -> "int":
    """Says the error on stderr; returns the exit code: 3 where something is missing, else 1."""
    print(error, file=sys.stderr, flush=True)
    return 3 if isinstance(error, Missing) else 1


def _failure(name: str, status: int, log: Path) -> Exception:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(sign in line for line in lines for sign in NO_NETWORK):
        return Missing(
            f"Expected a network for `{name}`, found no answer (all it said is in {log}); "
            "connect, or set pip's usual variables for an index that can be reached, and run the same command again."
        )
    first = next((number for number, line in enumerate(lines) if COMPLAINT.search(line)), len(lines) - SHOWN_LINES)
    shown = "\n".join(f"    {line}" for line in lines[max(first, 0) :][:SHOWN_LINES])
    return Failed(f"`{name}` ended with status {status}; all it said is in {log}, and what matters is perhaps\n{shown}")


def _last_line(log: Path, width: int = 80) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    # pip warns about each of the folders that it was told to look into in vain.
    said = (line.strip()[:width] for line in reversed(lines) if line.strip() and not line.startswith("WARNING"))
    return next(said, "no output yet")
