"""How long results take from submit to poll, beside those of a pipeline that is known to be good."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..faulty.matrix import resolved
from ..implementations import connect
from ..implementations.live_run import LivePlan
from ..judging import check

CONTROL = "native-pipeline:good-native-pipeline"
CHUNK = 64
WAIT_NS = 10_000_000_000
"""What a result that never came is taken to have needed."""


class ResultTimes:
    """Samples of as many results as `take` was asked for, one frame at a time, so that none waits for another's.

    The judge's own pipeline takes turns with the one that is judged: what makes a result late on a busy machine, such
    as a thread that is not woken, makes that one's late as often. It has the form that `deadline.judge` takes.
    """

    def __init__(self, stack: ExitStack, pipeline: Any, folder: Path, frames: np.ndarray, deadline_ms: float) -> None:
        self.deadline_ms = deadline_ms
        self._frames = frames
        both = (pipeline, connect(resolved(CONTROL), "pipeline"))
        self._sessions = [stack.enter_context(each.open(folder)) for each in both]
        self._times: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        self.priority = "ordinary"

    def __len__(self) -> int:
        """The number of results that are timed so far."""
        return CHUNK * len(self._times[0])

    def take(self, steps: int) -> None:
        """Times at least so many results more."""
        for _ in range(-(-steps // CHUNK)):
            plan = LivePlan(CHUNK, len(self), most_pending=1)
            for session, times in zip(self._sessions, self._times, strict=True):
                run = session.run_live(self._frames, plan)
                self.priority = run.priority
                times.append(_times(run))

    def samples(self) -> dict[str, np.ndarray]:
        """Times in ns by name, one entry per result. None is excused for what happens to the audio thread alone."""
        wall, control = (np.concatenate(times) for times in self._times)
        return {"wall_ns": wall, "control_ns": control, "cpu_ns": wall, "waits": np.ones_like(wall)}


def _times(run: Any) -> np.ndarray:
    """Per frame of a run, in ns."""
    __tracebackhide__ = True
    check(bool(run.accepted.all()), "a frame was refused although none was pending")
    first, times = int(run.ids[0]) if len(run.ids) else 0, np.full(len(run.accepted), WAIT_NS, np.int64)
    check(bool((np.diff(run.ids) == 1).all()), "results came out of order", ids=run.ids[:8])
    offsets = (run.ids - first)[: len(times)]
    times[offsets] = run.result_at_ns[: len(times)] - run.submit_at_ns[offsets]
    return times
