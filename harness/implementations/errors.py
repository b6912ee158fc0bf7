"""Everything that can come between the judge and an implementation, each as a value of its own.

A walk through the conversation, and what can go wrong at each step:

1. A connection string is read and its partner is found. `BadConnection`: the text leads nowhere, which is the caller's
   mistake. `NotAvailable`: it leads somewhere, but something that it needs is missing on this machine.
2. For `cmd:` and `abi:` a child process starts and says hello; then every request has one reply. The process may die
   of a signal (`Crashed`), end by itself although more was asked (`Exited`), say nothing for too long (`TimedOut`),
   or say something that is not the protocol (`ProtocolViolation`).
3. The implementation answers, and the answer is no. `Refused`: it will not load this file, export this module or train
   by this config, and says so in the form that its role has for that. This is often just what a requirement wants.
4. The implementation fails in a way that its role has no form for: `Raised`.

Every one has `evidence`, a mapping of JSON values for the record of the run, and a text that says what was expected,
what was found, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

STDERR_LINES = 12


def _rebuild(cls: type[ImplementationError], values: Mapping[str, Any]) -> ImplementationError:
    return cls(**values)


def _indented(title: str, text: str) -> str:
    lines = text.strip().splitlines()
    if not lines:
        return ""
    cut = ["…"] if len(lines) > STDERR_LINES else []
    return "\n".join([f"\n{title}", *(f"    {line}" for line in cut + lines[-STDERR_LINES:])])


@dataclass(eq=False, kw_only=True)
class ImplementationError(Exception):
    """The base of all that this package raises about an implementation. `who` names it, `op` is what it was doing."""

    who: str
    op: str = ""

    @property
    def evidence(self) -> dict[str, Any]:
        """The facts as JSON values: `error` is the class's name, then every field that holds something."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"error": type(self).__name__} | {
            name: value for name, value in values.items() if value not in (None, "", ())
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), {field.name: getattr(self, field.name) for field in fields(self)})

    def __str__(self) -> str:
        return f"{self.who}: failed in {self.op or 'use'}"


@dataclass(eq=False, kw_only=True)
class BadConnection(ImplementationError):
    """The connection string leads nowhere: a usage error, told with what was expected and what to do."""

    expected: str
    found: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"\n  to do:    {self.hint}" if self.hint else ""
        return f"cannot connect {self.who!r}\n  expected: {self.expected}\n  found:    {self.found}{hint}"


@dataclass(eq=False, kw_only=True)
class NotAvailable(ImplementationError):
    """Something that the implementation needs is missing on this machine; `reason` says what, and how to get it."""

    reason: str

    def __str__(self) -> str:
        return f"{self.who} is not available here: {self.reason}"


@dataclass(eq=False, kw_only=True)
class ProcessError(ImplementationError):
    """What the failures of a child process share.

    `command` is its command line, `stderr` the end of what it wrote to standard error, and `requests` the JSON lines
    that it was sent, so that `command` fed with them does the same again (empty when they were too long to keep).
    """

    command: str = ""
    stderr: str = ""
    requests: tuple[str, ...] = ()

    def _details(self) -> str:
        return _indented("its standard error ends:", self.stderr)


@dataclass(eq=False, kw_only=True)
class Crashed(ProcessError):
    """The process died of a signal. `signal` is its name, `returncode` what the system reported."""

    signal: str
    returncode: int

    def __str__(self) -> str:
        return f"{self.who} crashed in {self.op}: {self.signal} (exit status {self.returncode}){self._details()}"


@dataclass(eq=False, kw_only=True)
class Exited(ProcessError):
    """The process ended by itself in the middle of a conversation: somebody called exit."""

    returncode: int

    def __str__(self) -> str:
        return (
            f"{self.who} ended the process in {self.op}: exit code {self.returncode}, where a reply was expected"
            f"{self._details()}"
        )


@dataclass(eq=False, kw_only=True)
class TimedOut(ProcessError):
    """No reply within `seconds` of wall time. The process was killed."""

    seconds: float

    def __str__(self) -> str:
        return f"{self.who} gave no reply to {self.op} within {self.seconds:g} s and was stopped{self._details()}"


@dataclass(eq=False, kw_only=True)
class GivenUp(TimedOut):
    """Not tried any more, because it has not answered before, each time within the seconds of `waited`."""

    waited: tuple[float, ...]

    def __str__(self) -> str:
        waited = " and ".join(f"{seconds:g} s" for seconds in self.waited)
        return f"{self.who} was not tried: it gave no reply {len(self.waited)} times before, within {waited}"


@dataclass(eq=False, kw_only=True)
class ProtocolViolation(ProcessError):
    """An answer that is not what the protocol of the role says. `line` is the start of what came."""

    expected: str
    found: str
    line: str = ""

    def __str__(self) -> str:
        line = f"\n  the line: {self.line}" if self.line else ""
        stderr = _indented("its standard error ends:", self.stderr)
        found = f"  expected: {self.expected}\n  found:    {self.found}"
        return f"{self.who} broke the protocol in {self.op}\n{found}{line}{stderr}"


@dataclass(eq=False, kw_only=True)
class WrongSize(ImplementationError, ValueError):
    """Frames were given to a model that says that it takes others."""

    shape: tuple[int, ...]
    input_size: int

    def __str__(self) -> str:
        takes = f"[T, {self.input_size}]"
        return f"{self.who} says that the model takes frames of the shape {takes}, and was given {list(self.shape)}"


@dataclass(eq=False, kw_only=True)
class Refused(ImplementationError):
    """The implementation said no, in its role's own form.

    `phase` is read, parse, validate or build for a loader, unsupported for an exporter, config for a trainer;
    `json_path` names the place in the file, `class_name` the exception's class, where they are known.
    """

    phase: str
    message: str
    json_path: str = ""
    class_name: str = ""

    def __str__(self) -> str:
        place = f" at {self.json_path}" if self.json_path else ""
        name = f"{self.class_name}: " if self.class_name else ""
        return f"{self.who} refused in {self.op} ({self.phase}){place}: {name}{self.message}"


@dataclass(eq=False, kw_only=True)
class Raised(ImplementationError):
    """The implementation failed, and not by refusing.

    `class_name` is that of the exception, if there was one, and `traceback` its traceback in process.
    """

    message: str
    class_name: str = ""
    traceback: str = ""

    def __str__(self) -> str:
        what = f"raised {self.class_name}" if self.class_name else "failed"
        return f"{self.who} {what} in {self.op}: {self.message}" + _indented("where:", self.traceback)
