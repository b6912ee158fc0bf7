"""The one client for protocol 1: requests out, replies in, every departure from the protocol an exception.

It serves cmd: programs and rtc-host (abi:) alike. Whatever goes wrong, the process is gone before the exception is
raised, and a later request raises the same exception again.
"""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import wire
from .errors import BadConnection, Crashed, Exited, ImplementationError, ProtocolViolation, Raised, Refused, TimedOut
from .process import Child
from .protocols import Declaration

REQUESTS_KEPT = 1 << 18
"""Bytes of requests that are kept to repeat a crash; when there are more, none are."""

EXCERPT = 200


class Client:
    """One process and the conversation with it. `timeout` is the wall time for each reply, in seconds.

    Raises BadConnection if the process can't be started.
    """

    def __init__(self, command: Sequence[str], *, who: str, timeout: float) -> None:
        self.who = who
        self.timeout = timeout
        self.noise: list[tuple[str, str]] = []
        self.command = shlex.join(command)
        self._seq = 0
        self._requests: list[str] = []
        self._requests_bytes = 0
        self._ended: ImplementationError | None = None
        try:
            self._child = Child(command)
        except OSError as error:
            raise BadConnection(
                who=who,
                expected="a program that can be started",
                found=f"{command[0]}: {error.strerror}",
                hint="check the path, that it is executable, and its first line if it is a script",
            ) from None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    @property
    def over(self) -> bool:
        """True once the conversation has ended, well or badly."""
        return self._ended is not None

    def hello(self, role: str, *, timeout: float | None = None) -> Declaration:
        """Greet, and read who answers. Raises ProtocolViolation for another version, role or form."""
        reply = self.request("hello", {"protocol": wire.PROTOCOL}, timeout=timeout, check=self._check_version)
        try:
            declaration = Declaration.from_dict(reply["implementation"])
        except ValueError as error:
            raise self._violation("hello", "a declaration", str(error)) from None
        if declaration.role != role:
            raise self._violation("hello", f"an implementation with the role {role}", f"the role {declaration.role}")
        return declaration

    def _check_version(self, reply: Mapping[str, Any]) -> None:
        if reply.get("ok") is True and reply.get("protocol") != wire.PROTOCOL:
            found = f"protocol {reply.get('protocol')!r}"
            raise self._violation("hello", f"protocol {wire.PROTOCOL}", found)

    def request(
        self,
        op: str,
        values: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        progress: Callable[[Mapping[str, Any]], None] | None = None,
        check: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return its reply, checked against the schema.

        `check` sees the reply before the schema does. Raises Refused or Raised for a reply that says no, after which
        the conversation goes on; Crashed, Exited, TimedOut or ProtocolViolation, after which it is over; ValueError if
        the request itself is not what the schema says.
        """
        if self._ended:
            raise self._ended
        self._seq += 1
        message = {"seq": self._seq, "op": op, **(values or {})}
        if fault := wire.fault(message, f"request-{op}"):
            raise ValueError(f"a request that the protocol doesn't have: {fault}")
        line = wire.encode(message)
        self._keep(line)
        self._child.send(line)
        seconds = self.timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while True:
            reply = self._receive(op, deadline, seconds)
            if "progress" not in reply:
                break
            self._check(reply, "progress", op)
            if progress:
                progress(reply["progress"])
        if check:
            check(reply)
        if isinstance(reply.get("noise"), str):
            self.noise.append((op, reply["noise"]))
        if reply.get("ok") is False:
            self._check(reply, "failure", op)
            raise self._said_no(op, reply["error"])
        self._check(reply, f"reply-{op}", op)
        return reply

    def array(self, op: str, record: Mapping[str, Any]) -> np.ndarray:
        """The array in a reply. Raises ProtocolViolation if its bytes don't fill its shape."""
        try:
            return wire.array_from_wire(record)
        except ValueError as error:
            raise self._violation(op, "a float32 array", str(error)) from None

    def integers(self, op: str, record: Mapping[str, Any]) -> np.ndarray:
        """The uint64 array in a reply. Raises ProtocolViolation as `array` does."""
        try:
            return wire.integers_from_wire(record)
        except ValueError as error:
            raise self._violation(op, "an array of integers", str(error)) from None

    def demand(self, holds: object, op: str, expected: str, found: object) -> None:
        """Raises ProtocolViolation unless it holds: what a schema can't say of a reply."""
        if not holds:
            raise ProtocolViolation(who=self.who, op=op, expected=expected, found=str(found))

    def close(self) -> None:
        """Say quit, expect exit code 0, and make sure that the process is gone. A second call does nothing.

        What comes over standard output after the reply is noise.
        Raises as `request` does if the goodbye goes wrong: a crash at the end is a crash.
        """
        if self._ended:
            return
        self.request("quit")
        self._child.finish()
        code = self._child.wait(self.timeout)
        if text := self._child.last_words():
            self.noise.append(("quit", text[:EXCERPT]))
        self.abandon()
        if code is None:
            raise self._timed_out("quit", self.timeout)
        if code != 0:
            raise self._gone("quit", code)

    def abandon(self) -> None:
        """End the process without a word."""
        self._child.kill()
        self._ended = self._ended or ProtocolViolation(
            who=self.who,
            op="request",
            expected="an open session",
            found="one that has been closed",
            command=self.command,
        )

    def _receive(self, op: str, deadline: float, seconds: float) -> dict[str, Any]:
        try:
            line = self._child.receive(deadline - time.monotonic())
        except TimeoutError:
            if partial := self._child.partial:
                found = f"half a line, and no more within {seconds:g} s"
                raise self._violation(op, "a reply with a newline at its end", found, partial) from None
            raise self._timed_out(op, seconds) from None
        except ValueError as error:
            raise self._violation(op, "a reply in one line", str(error), self._child.partial) from None
        if line is None:
            raise self._end_of_output(op)
        try:
            reply = wire.decode(line)
        except ValueError as error:
            expected = "one JSON object per line on standard output and nothing else (print to standard error)"
            raise self._violation(op, expected, str(error), line) from None
        if reply.get("seq") != self._seq or isinstance(reply.get("seq"), bool):
            expected, found = f"the reply to request {self._seq}", f"seq {reply.get('seq')!r}"
            raise self._violation(op, expected, found, line)
        return reply

    def _end_of_output(self, op: str) -> ImplementationError:
        code = self._child.wait()
        if code is None:
            found = "standard output closed, in a process that goes on"
            return self._violation(op, "a reply", found)
        if code == 0 and self._child.partial:
            return self._violation(
                op, "a reply with a newline at its end", "half a line, then the end", self._child.partial
            )
        return self._gone(op, code)

    def _gone(self, op: str, code: int) -> ImplementationError:
        name = signal_name(code)
        if name:
            return self._over(Crashed(signal=name, returncode=code, **self._facts(op)))
        return self._over(Exited(returncode=code, **self._facts(op)))

    def _timed_out(self, op: str, seconds: float) -> ImplementationError:
        return self._over(TimedOut(seconds=seconds, **self._facts(op)))

    def _violation(self, op: str, expected: str, found: str, line: bytes = b"") -> ImplementationError:
        text = line[:EXCERPT].decode("utf-8", "backslashreplace") + ("…" if len(line) > EXCERPT else "")
        return self._over(ProtocolViolation(expected=expected, found=found, line=text, **self._facts(op)))

    def _facts(self, op: str) -> dict[str, Any]:
        self._child.kill()
        return {
            "who": self.who,
            "op": op,
            "command": self.command,
            "stderr": self._child.stderr,
            "requests": tuple(self._requests),
        }

    def _over(self, error: ImplementationError) -> ImplementationError:
        self._ended = error
        return error

    def _check(self, reply: Mapping[str, Any], definition: str, op: str) -> None:
        if fault := wire.fault(reply, definition):
            raise self._violation(op, f"a message as {wire.SCHEMA.name} says under {definition}", fault)

    def _said_no(self, op: str, error: Mapping[str, Any]) -> ImplementationError:
        name = error.get("class", "")
        if error["phase"] == "internal":
            return Raised(who=self.who, op=op, class_name=name, message=error["message"])
        return Refused(
            who=self.who,
            op=op,
            phase=error["phase"],
            message=error["message"],
            json_path=error.get("path", ""),
            class_name=name,
        )

    def _keep(self, line: bytes) -> None:
        self._requests_bytes += len(line)
        if self._requests_bytes <= REQUESTS_KEPT:
            self._requests.append(line.decode().rstrip("\n"))
        else:
            self._requests.clear()


def signal_name(code: int) -> str:
    """The signal that an exit status speaks of, "" for a plain exit code.

    A negative status is a signal by subprocess's convention, 128 + n a shell's word for signal n, and 0xC0000000 and
    above an exception on Windows.
    """
    if code >= 0xC0000000:
        return f"exception {code:#x}"
    number = -code if code < 0 else code - 128
    try:
        return signal.Signals(number).name if number > 0 else ""
    except ValueError:
        return f"signal {number}" if code < 0 else ""
