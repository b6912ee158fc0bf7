"""A child process that is talked to in lines, and is gone for sure when it is closed.

It gets a session of its own, so that whatever it started goes with it. Its three pipes are served as each is ready and
none is waited for alone, so that neither a child that doesn't read nor one that floods its standard error can block us.
A child that is forgotten is still collected, and killed then.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

LONGEST_LINE = 1 << 28
"""Bytes without a newline after which a child's output counts as broken."""

STDERR_KEPT = 1 << 14
"""Bytes kept of the end of a child's standard error."""

PARTIAL_KEPT = 1 << 10
LAST_LINES_KEPT = 16
CHUNK = 1 << 16
CHUNKS_AFTER_DEATH = 64
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
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        self._selector = selectors.DefaultSelector()
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe.fileno(), False)
        for pipe in (self._out, self._err):
            self._selector.register(pipe, selectors.EVENT_READ)
        self._unsent = bytearray()
        self._is_finished = False
        self._lines: deque[bytes] = deque()
        self._pieces: list[bytes] = []
        self._stderr = bytearray()
        self._finalizer = weakref.finalize(self, _stop, self._process, self._selector, self._stderr)

    @property
    def pid(self) -> int:
        """The id of the process, also after its end."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """The end of what the child wrote to standard error; all of it is in once the child has been killed."""
        return bytes(self._stderr).decode("utf-8", "replace")

    @property
    def partial(self) -> bytes:
        """What came after the last newline (its first bytes, if it is long)."""
        return b"".join(self._pieces[:1])[:PARTIAL_KEPT]

    def send(self, line: bytes) -> None:
        """Send a line; what the child doesn't take goes out while we wait for its reply.

        A child that is gone or doesn't read is noticed by the missing reply.
        """
        self._unsent += line
        self._write()

    def receive(self, seconds: float) -> bytes | None:
        """The next line without its newline, or None at the end of the output or of the process.

        Raises TimeoutError when nothing came, and ValueError for a line without end.
        """
        deadline = time.monotonic() + seconds
        has_ended = False
        while not self._lines:
            if (length := sum(map(len, self._pieces))) > LONGEST_LINE:
                raise ValueError(f"{length} bytes without a newline")
            if self._out.closed:
                return None
            left = deadline - time.monotonic()
            if self._serve(max(min(left, GLANCE_SECONDS), 0)):
                continue
            # What the child started may hold its output open after its death, so the end of the output isn't enough.
            if has_ended:
                return None
            has_ended = self._process.poll() is not None
            if left <= 0 and not has_ended:
                raise TimeoutError
        return self._lines.popleft()

    def wait(self, seconds: float = GRACE_SECONDS) -> int | None:
        """The exit status once the process has ended by itself (negative for a signal), None if it has not in time.

        What it says meanwhile is read, so that it can end, and only the first lines of it are kept.
        """
        deadline = time.monotonic() + seconds
        pause = 0.0005
        while self._process.poll() is None:
            if time.monotonic() >= deadline:
                return None
            self._serve(pause)
            while len(self._lines) > LAST_LINES_KEPT:
                self._lines.pop()
            pause = min(2 * pause, 0.02)
        return self._process.returncode

    def last_words(self) -> str:
        """The output that nobody has received, of a child that has ended: its first lines."""
        self._serve(0)
        return b"\n".join([*self._lines, self.partial]).decode("utf-8", "replace").strip()

    def finish(self) -> None:
        """Close the child's input, which tells it that nothing more will come."""
        self._is_finished = True
        self._write()

    def kill(self) -> None:
        """End the process and all that it started, and give the pipes back. A second call does nothing."""
        self._finalizer()

    def _serve(self, seconds: float) -> bool:
        """Move what the pipes hold, after waiting for one of them; whether the child's output has got any further."""
        got_on = False
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._in:
                self._write()
            elif key.fileobj is self._out:
                self._read_lines()
                got_on = True
            elif _read_tail(self._err, self._stderr) == b"":
                self._close(self._err)
        return got_on

    def _write(self) -> None:
        if self._in.closed:
            return
        try:
            while self._unsent:
                del self._unsent[: os.write(self._in.fileno(), self._unsent[:CHUNK])]
        except BlockingIOError:
            if self._in not in self._selector.get_map():
                self._selector.register(self._in, selectors.EVENT_WRITE)
            return
        except OSError:
            # The child closed its input or died. Whoever waits for its reply finds out which.
            self._is_finished = True
        if self._in in self._selector.get_map():
            self._selector.unregister(self._in)
        if self._is_finished:
            self._in.close()

    def _read_lines(self) -> None:
        try:
            chunk = os.read(self._out.fileno(), CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._close(self._out)
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._lines.append(b"".join([*self._pieces, end]))
            self._pieces.clear()
        if rest:
            self._pieces.append(rest)

    def _close(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()


def _read_tail(pipe: IO[bytes], tail: bytearray) -> bytes | None:
    """The next bytes of a pipe, which go to the end of the tail; b"" at its end, None if there is nothing now."""
    try:
        chunk = os.read(pipe.fileno(), CHUNK)
    except BlockingIOError:
        return None
    tail += chunk
    del tail[:-STDERR_KEPT]
    return chunk


def _stop(process: subprocess.Popen[bytes], selector: selectors.BaseSelector, stderr: bytearray) -> None:
    # Also after the process has ended by itself: what it started may live on in its group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    selector.close()
    assert process.stdin and process.stdout and process.stderr
    for _ in range(CHUNKS_AFTER_DEATH):  # a process that left the group may go on writing for ever
        if process.stderr.closed or not _read_tail(process.stderr, stderr):
            break
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
