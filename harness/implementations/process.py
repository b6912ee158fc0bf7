"""A child process that is talked to in lines, and is gone for sure when it is closed.

It gets a session of its own, so that whatever it started goes with it. Two threads empty its outputs, so that a full
pipe never blocks it, and one fills its input, so that a child that doesn't read never blocks us. The threads know the
pipes only: a child that is forgotten is still collected, and killed then.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

LONGEST_LINE = 1 << 28
"""Bytes without a newline after which a child's output counts as broken."""

STDERR_KEPT = 1 << 14
"""Bytes kept of the end of a child's standard error."""

PARTIAL_KEPT = 1 << 10
LINES_WAITING = 256
GRACE_SECONDS = 2.0
GLANCE_SECONDS = 0.2


class Child:
    """A process started from an argument list. Raises OSError if it can't be started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._out = _Lines()
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr = bytearray()
        threads = [
            _thread(_write, self._process.stdin, self._to_send),
            _thread(_read_lines, self._process.stdout, self._out),
            _thread(_read_tail, self._process.stderr, self._stderr),
        ]
        self._finalizer = weakref.finalize(self, _stop, self._process, self._to_send, self._out, threads)

    @property
    def pid(self) -> int:
        """The id of the process, also after its end."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The end of what the child wrote to standard error."""
        return bytes(self._stderr).decode("utf-8", "replace")

    @property
    def partial(self) -> bytes:
        """What came after the last newline (its first bytes, if it is long)."""
        return self._out.partial

    def send(self, line: bytes) -> None:
        """Hand a line to the writing thread; a child that is gone or doesn't read is noticed by the missing reply."""
        self._to_send.put(line)

    def receive(self, seconds: float) -> bytes | None:
        """The next line without its newline, or None at the end of the output or of the process.

        Raises TimeoutError when nothing came, and ValueError for a line without end.
        """
        deadline = time.monotonic() + seconds
        while True:
            # What the child started may hold its output open after its death, so the end of the output isn't enough.
            has_ended = self._process.poll() is not None
            try:
                line = self._out.waiting.get(timeout=max(min(deadline - time.monotonic(), GLANCE_SECONDS), 0))
            except queue.Empty:
                if has_ended:
                    return None
                if time.monotonic() >= deadline:
                    raise TimeoutError from None
                continue
            if isinstance(line, Exception):
                raise line
            return line

    def wait(self, seconds: float = GRACE_SECONDS) -> int | None:
        """The exit status once the process has ended by itself (negative for a signal), None if it has not in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def finish(self) -> None:
        """Close the child's input, which tells it that nothing more will come."""
        self._to_send.put(None)

    def kill(self) -> None:
        """End the process and all that it started, and give the pipes back. A second call does nothing."""
        self._finalizer()


class _Lines:
    """What the reading thread has found: whole lines, None for the end, an exception for a line without end."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[bytes | Exception | None] = queue.Queue(LINES_WAITING)
        self.partial = b""
        self.closed = False

    def put(self, line: bytes | Exception | None) -> None:
        while not self.closed:
            try:
                self.waiting.put(line, timeout=0.1)
            except queue.Full:
                continue
            return


def _thread(target: object, pipe: IO[bytes], shared: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=(pipe, shared), daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def _write(pipe: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    try:
        while (line := lines.get()) is not None:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(pipe.fileno(), rest) :]
    except OSError:
        # The child closed its input or died. Whoever waits for its reply finds out which.
        pass
    pipe.close()


def _read_lines(pipe: IO[bytes], out: _Lines) -> None:
    pieces: list[bytes] = []
    length = 0
    while chunk := os.read(pipe.fileno(), 1 << 16):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            out.put(b"".join([*pieces, end]))
            pieces.clear()
            length = 0
        if rest:
            pieces.append(rest)
            length += len(rest)
        out.partial = b"".join(pieces[:1])[:PARTIAL_KEPT]
        if length > LONGEST_LINE:
            out.put(ValueError(f"{length} bytes without a newline"))
            break
        if out.closed:
            break
    out.put(None)
    pipe.close()


def _read_tail(pipe: IO[bytes], tail: bytearray) -> None:
    while chunk := os.read(pipe.fileno(), 1 << 12):
        tail += chunk
        del tail[:-STDERR_KEPT]
    pipe.close()


def _stop(
    process: subprocess.Popen[bytes],
    to_send: queue.SimpleQueue[bytes | None],
    out: _Lines,
    threads: list[threading.Thread],
) -> None:
    if hasattr(os, "killpg"):
        # Also after the process has ended by itself: what it started may live on in its group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    out.closed = True
    to_send.put(None)
    for thread in threads:
        thread.join(1.0)
