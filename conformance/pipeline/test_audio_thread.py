"""What submit and poll may not do on the audio thread, watched from inside the host."""

import numpy as np
import pytest

from rtconform.harness import expected
from rtconform.harness.implementations import LivePlan
from rtconform.harness.judging import check
from rtconform.harness.measure import pipeline as driving, stream as streaming
from rtconform.harness.measure.watched_runs import PROCESSES, WatchedRuns

ROWS = 64
WATCHED, PERIOD_SECONDS, ACTION_SECONDS = 4000, 0.25e-3, 0.01
"""A second of frames, faster than many a pipeline computes them: there is room for some, and for others not."""

LEAST_ACTIONS = 3
"""A good reload of one model, one of all, and one that is refused."""

MOST_WATCHED = 20 * WATCHED
"""Where the machine is too busy for them within a second."""

TIMED = 400
LARGEST_SHARE = 0.25
"""Of the time from one result to the next. What waits for a result by spinning takes all of it, a copy a hundredth."""

_runs = {}


@pytest.fixture
def offences(pipeline, tmp_path_factory):
    """`offences(*kinds)`: raises at what submit and poll do of these kinds, while good and bad files are reloaded.

    The same processes serve all the requirements on one pipeline.
    """
    runs = _runs.setdefault(pipeline.connection, WatchedRuns("submit or poll", "run_live"))
    frames = expected.recording()[:ROWS].copy()
    frames[ROWS // 2, 5] = np.nan

    def watched_once():
        spare, folder = tmp_path_factory.mktemp("spare"), tmp_path_factory.mktemp("models")
        with pipeline.open(driving.model_folder(folder)) as first:
            streaming.check_models(first)
            first.plain_memory()  # before the one that is watched takes any
            session = first.beside(folder)
            actions = [move.action(folder) for move in streaming.moves(spare)]
            plan = LivePlan(
                MOST_WATCHED,
                least_count=WATCHED,
                least_actions=LEAST_ACTIONS,
                period_s=PERIOD_SECONDS,
                watch=True,
                actions=actions,
                action_every_s=ACTION_SECONDS,
            )
            return session.run_live(frames, plan)

    return lambda *kinds: runs.check(kinds, watched_once)


@pytest.mark.requirement("PIP-NO-ALLOCATION")
def test_submit_and_poll_allocate_nothing(offences):
    """The malloc family, aligned and mapped memory, free: also of a model that was swapped out."""
    offences("malloc", "free", "mmap")


@pytest.mark.requirement("PIP-NO-LOCK")
def test_submit_and_poll_take_no_lock(offences):
    """Mutexes, condition variables, semaphores, locks that libc takes; waking another thread counts."""
    offences("lock")


@pytest.mark.requirement("PIP-NO-BLOCKING-CALL")
def test_submit_and_poll_neither_sleep_nor_do_io(offences):
    """Sleeps, files and streams, threads and processes, libraries."""
    offences("sleep", "io", "thread", "library")


@pytest.mark.requirement("PIP-NO-EXCEPTION")
def test_submit_and_poll_throw_nothing(offences):
    """Exceptions, those that are caught at once too."""
    offences("throw")


@pytest.mark.requirement("PIP-NO-SYSTEM-CALL")
def test_submit_and_poll_stay_out_of_the_kernel(offences):
    """Every system call, whoever makes it."""
    offences("syscall")


@pytest.mark.requirement("PIP-NO-PAGE-FAULT")
def test_submit_and_poll_touch_no_fresh_memory(offences):
    """Page faults, minor ones too; what any host has touched before is touched before."""
    offences("page_fault")


@pytest.mark.requirement("PIP-NEVER-WAITS")
def test_submit_and_poll_never_wait(pipeline, tmp_path):
    """With a worker that always has something to do: no waiting, by the kernel's count, and no spinning.

    A thread that is taken off its processor by the machine hasn't waited, and uses no processor time meanwhile.
    """
    folder = driving.model_folder(tmp_path)
    waited = []
    for process in range(PROCESSES):
        with pipeline.open(folder) as session:
            run = session.run_live(expected.recording()[:ROWS], LivePlan(TIMED, most_pending=session.capacity))
        driving.check_ids([{"id": frame} for frame in run.ids.tolist()], range(TIMED))
        waits = {"submit": int((run.submit_waits > 0).sum()), "poll": run.poll_waits}
        between = float(run.result_at_ns[-1] - run.result_at_ns[0]) / (TIMED - 1)
        shares = {"submit": np.median(run.submit_cpu_ns) / between, "poll": np.median(run.poll_cpu_ns) / between}
        spun = {name: round(float(share), 3) for name, share in shares.items() if share > LARGEST_SHARE}
        if any(waits.values()) or spun:
            waited.append({"waits": waits, "spun": spun, "ns_between_results": between})
        check(len(waited) < 2, "submit or poll waits for another thread", runs=waited)
        if process == 1 and not waited:
            return
