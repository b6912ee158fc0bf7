"""What process and reset may not do on the audio thread, watched from inside the host."""

import pytest

from rtconform.harness import signals
from rtconform.harness.implementations import Section
from rtconform.harness.measure.watched_runs import WatchedRuns

LARGEST = 512

EVERY_SIZE = (LARGEST, 334, *range(32, -1, -1), *[1] * 966)
"""The first block is as large as prepare allows: what grows buffers by need grows them there. A thousand blocks aren't
empty, so that what happens in every thousandth after reset is seen."""

BRIEFLY = (32, *[1] * 198, 32)
"""Five times this and the above are 2000 calls."""

LOUD = 8.0
"""Times full scale."""

_runs = {}

pytestmark = pytest.mark.shares("model_case")


def sections(model, other, seed):
    """What a host may do to a model: each kind of signal from reset on, and between two of them the turn of another."""

    def section(name, whose, blocks, signal, **given):
        return Section(name, whose, signal(sum(blocks), model.input_size, **given), blocks)

    return [
        section("noise", model, EVERY_SIZE, signals.noise, seed=seed),
        section("silence", model, BRIEFLY, signals.burst_then_silence, burst=0),
        section("noise beyond full scale", model, BRIEFLY, signals.noise, seed=seed, amplitude=LOUD),
        section("noise with infinity and NaN", model, BRIEFLY, signals.nonfinite, seed=seed),
        section("noise through a second model of the file", other, BRIEFLY, signals.noise, seed=seed),
        section("noise after that of the second model", model, BRIEFLY, signals.noise, seed=seed),
    ]


@pytest.fixture
def offences(loader, model_case, rtc_config):
    """`offences(*kinds)`: raises at what reset and process do of these kinds, from the first call after load on.

    The same processes serve all the requirements on one loader and model.
    """
    runs = _runs.setdefault((loader.connection, model_case.name), WatchedRuns("process or reset", "watch"))

    def watched_once():
        with loader.open() as session:
            session.plain_memory()
            path = model_case.path
            with session.load(path):
                pass  # whose memory is not left to the audio thread to free
            with session.load(path, max_frames=LARGEST) as model, session.load(path, max_frames=LARGEST) as other:
                return session.watch(sections(model, other, rtc_config.seed))

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
