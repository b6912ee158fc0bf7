"""A run that is ended from outside takes the processes of its implementations with it, hung as they may be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .raw_host import FAULTY, needs_host

pytestmark = [needs_host, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
HANGING = {"rtc-host": f"abi:{FAULTY}#ldr-hangs", "sleep": "cmd:sleep 1000"}
"""{what the command line of the implementation's process has in it: a loader that hangs}"""

SECONDS = 15
"""Less than the judge waits for a reply."""


def below(pid: int | str) -> Iterator[str]:
    """The ids of all processes that a process has started, and that these have."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # of a thread that has ended meanwhile
            for child in children.read_text().split():
                yield child
                yield from below(child)


def names_of(pid: int | str) -> list[str]:
    """The names of the files on its command line; none of one that is gone."""
    try:
        return [Path(word).name for word in Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")]
    except (FileNotFoundError, ProcessLookupError):
        return []


def named(name: str, pid: int) -> list[str]:
    """The processes below one that have a name on their command line."""
    return [each for each in below(pid) if name in names_of(each)]


def soon(what, seconds: float = SECONDS) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not (came := what()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(came)


@pytest.fixture(params=HANGING)
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A run, and the id of the process of its loader, which hangs."""
    asked = ("--loader", HANGING[request.param], "--class", "numerics", "--out", str(tmp_path / "out"))
    found: list[str] = []
    with subprocess.Popen([sys.executable, "-m", "rtconform", "run", *asked], stderr=subprocess.DEVNULL) as run:
        try:
            assert soon(lambda: found.extend(named(request.param, run.pid)) or found, seconds=120)
            yield run, found[0]
        finally:
            run.kill()


def test_a_terminated_run_has_no_verdict_and_leaves_no_process(running, tmp_path):
    """Told alone, without the processes below it, which a shell's `timeout` would tell as well."""
    run, loader = running
    run.terminate()
    assert run.wait(SECONDS) == 128 + signal.SIGTERM
    assert soon(lambda: not names_of(loader))
    assert not list(tmp_path.rglob("report.html"))


@pytest.mark.parametrize("running", ["rtc-host"], indirect=True)
def test_a_host_does_not_outlive_who_started_it(running):
    """Not even one that was killed, and so could end nothing."""
    run, host = running
    (judge,) = named("pytest", run.pid)
    os.kill(int(judge), signal.SIGKILL)
    assert run.wait(SECONDS) == 1
    assert soon(lambda: not names_of(host))
