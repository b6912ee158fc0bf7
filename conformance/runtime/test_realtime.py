"""What process and reset may not do on the audio thread, watched from inside the host."""

import pytest

from rtconform.harness import signals
from rtconform.harness.measure.watched_runs import WatchedRuns

BLOCKS = (32, 7, *[1] * 98)
"""The first block is as large as prepare allows; what grows buffers by need grows them there."""

ROUNDS = 20
"""Of these blocks: 2000 calls, in which twice is seen what happens in every thousandth."""

_runs = {}

pytestmark = pytest.mark.shares("model_case")


@pytest.fixture
def offences(loader, model_case, rtc_config):
    """`offences(*kinds)`: raises at what reset and process do of these kinds, from the first call after load on.

    The same processes serve all the requirements on one loader and model.
    """
    runs = _runs.setdefault((loader.connection, model_case.name), WatchedRuns("process or reset", "watch"))
    frames = signals.noise(ROUNDS * sum(BLOCKS), model_case.model.input_size, seed=rtc_config.seed)

    def watched_once():
        with loader.open() as session:
            session.plain_memory()
            with session.load(model_case.path, max_frames=max(BLOCKS)) as model:
                return session.watch(model, frames, BLOCKS)

    return lambda *kinds: runs.check(kinds, watched_once)


@pytest.mark.requirement("RT-NO-ALLOCATION")
def test_process_allocates_nothing(offences):
    """The malloc family, aligned and mapped memory, free."""
    offences("malloc", "free", "mmap")


@pytest.mark.requirement("RT-NO-LOCK")
def test_process_takes_no_lock(offences):
    """Mutexes, shared ones and timed ones too, condition variables, semaphores, locks that libc takes."""
    offences("lock")


@pytest.mark.requirement("RT-NO-BLOCKING-CALL")
def test_process_neither_sleeps_nor_does_io(offences):
    """Sleeps, files and streams, threads and processes, libraries."""
    offences("sleep", "io", "thread", "library")


@pytest.mark.requirement("RT-NO-EXCEPTION")
def test_process_throws_nothing(offences):
    """Exceptions, those that are caught at once too."""
    offences("throw")


@pytest.mark.requirement("RT-NO-SYSTEM-CALL")
def test_process_stays_out_of_the_kernel(offences):
    """Every system call, whoever makes it."""
    offences("syscall")


@pytest.mark.requirement("RT-NO-PAGE-FAULT")
def test_process_touches_no_fresh_memory(offences):
    """Page faults, minor ones too; what any host has touched before is touched before."""
    offences("page_fault")
