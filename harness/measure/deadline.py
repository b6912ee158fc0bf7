"""From timed steps to a verdict on the deadline, and to what the times are worth to a musician."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..verdicts import Verdict
from . import miss_rate
from .timed_run import TimedRun

LOOKS = (128, 256, 512, 1024, 2048, 4096)
"""Numbers of steps after which a loader that is late again and again has failed already."""

SAMPLE_RATE = 48_000
BUFFERS = tuple(2**power for power in range(4, 14))
"""Audio buffers that hosts offer, in samples."""


@dataclass(frozen=True)
class Judgement:
    """How many of the steps were late, and whose doing that was."""

    deadline_ms: float
    steps: int
    misses: int
    excused: int
    """Late steps that ran for less than the deadline, waited for nothing, and had the processor taken from them."""

    control: int
    """Steps that called no model, were drawn out to the same length, and were late all the same."""

    verdict: Verdict | None

    @classmethod
    def of(cls, samples: Mapping[str, np.ndarray], deadline_ms: float) -> Judgement:
        """From the arrays of `Latency`, one entry per step."""
        deadline_ns = deadline_ms * 1e6
        late = samples["wall_ns"] > deadline_ns
        excused = late & (samples["waits"] == 0) & (samples["cpu_ns"] <= deadline_ns)
        steps, misses = len(late), int(late.sum())
        control = int((_as_long(samples["control_ns"], samples["wall_ns"], deadline_ns) > deadline_ns).sum())
        decided = miss_rate.verdict(misses, steps, int(excused.sum()), control)
        return cls(deadline_ms, steps, misses, int(excused.sum()), control, decided)

    def __str__(self) -> str:
        lower, upper = miss_rate.bounds(self.misses, self.steps)
        machine = f"; so were {self.control} steps that do nothing" if self.control else ""
        taken = f", {self.excused} of them because the processor was taken away" if self.misses else ""
        return (
            f"{self.misses} of {self.steps} steps missed {self.deadline_ms:g} ms{taken}{machine}; "
            f"the rate is {lower:.2g} to {upper:.2g}"
        )


def _as_long(control_ns: np.ndarray, wall_ns: np.ndarray, deadline_ns: float) -> np.ndarray:
    """What the control, which may be shorter, would have taken if it were drawn out to the usual length of a step.

    It is delayed as a step is. Where usual steps are late themselves, nothing can be told by that.
    """
    shortest, usual = control_ns.min(), np.median(wall_ns)
    return control_ns - shortest + usual if shortest < usual <= deadline_ns else control_ns


def judge(run: TimedRun) -> Judgement:
    """Times steps until the bound on the miss rate decides, or there are as many as there may be."""
    for steps in LOOKS:
        run.take(steps - len(run))
        judgement = Judgement.of(run.samples(), run.deadline_ms)
        if judgement.verdict is Verdict.FAIL:
            return judgement
    while judgement.verdict is None:
        run.take(max(miss_rate.steps_needed(judgement.misses) - len(run), LOOKS[0]))
        judgement = Judgement.of(run.samples(), run.deadline_ms)
    return judgement


def upper_bound_of_percentile(samples: Any, p: float, confidence: float = miss_rate.CONFIDENCE) -> float:
    """A sample that the true percentile lies below, at the given confidence; infinity if there are too few samples.

    By order statistics: the number of samples below the percentile is binomial (H. A. David, H. N. Nagaraja, "Order
    Statistics", 3rd edition, section 7.1).
    """
    ordered = np.sort(np.asarray(samples, np.float64))
    for above in range(len(ordered)):
        # So many samples lie above the true percentile, or more, with the probability that is asked for.
        if miss_rate.at_most(above, len(ordered), 1.0 - p / 100.0) > 1.0 - confidence:
            return math.inf if above == 0 else float(ordered[len(ordered) - above])
    return math.inf


def smallest_buffer(milliseconds: float, sample_rate: int = SAMPLE_RATE) -> int | None:
    """The smallest audio buffer, in samples, that lasts for at least so long; None if the largest is too short."""
    return next((size for size in BUFFERS if size / sample_rate * 1e3 >= milliseconds), None)
