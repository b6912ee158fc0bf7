"""SIGTERM ends a command as Ctrl-C does: with all that it has started, and with nothing left that claims a core."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_awaited: set[subprocess.Popen[bytes]] = set()


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends what is within as an exception does, and is passed on to the processes that it waits for."""

    def end(number: int, _: object) -> None:
        for process in list(_awaited):
            process.terminate()
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process. Ctrl-C reaches it as it reaches us; how it ends then is its own affair."""
    _awaited.add(process)
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
            except SystemExit:
                process.wait()
                raise
    finally:
        _awaited.discard(process)
